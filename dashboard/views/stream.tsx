import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { GatewayStatus } from "../../src/http/gateway-status.ts";
import { mayRead } from "../api.ts";
import { Chart } from "../chart.tsx";
import { ago, bytes, compact, count, plural } from "../format.ts";
import { history, rates, useHistory } from "../history.ts";
import { Data } from "../json-view.tsx";
import { usePoll } from "../poll.ts";
import { linkTo, place } from "../router.ts";
import { openTail, type Tail, type TailEntry, type TailOptions } from "../tail.ts";
import { Failure, Figure, State } from "../ui.tsx";
import { optionsOf, Selection } from "./selection.tsx";

/** One stream: its state, and its events. */
export function Stream({ name }: { readonly name: string }): JSX.Element {
  const { data, error } = usePoll<GatewayStatus>("status", 2000).value;
  const stream = data?.streams[name];
  useHistory();
  return (
    <>
      <p>
        <a href={linkTo("streams")}>All streams</a>
      </p>
      <h1>{name}</h1>
      {error && <Failure error={error} />}
      {data && !stream && <p class="empty">There is no stream of this name.</p>}
      {stream && (
        <dl class="figures">
          <Figure name="Source" value={<State value={stream.paused ?? stream.upstream?.state ?? "publish only"} />} />
          <Figure name="Head" value={<code>{stream.head}</code>} />
          <Figure name="Earliest" value={<code>{stream.earliest}</code>} />
          <Figure name="Events" value={count(stream.events)} />
          <Figure name="Size" value={bytes(stream.bytes)} />
          <Figure name="Last event" value={ago(stream.lastEvent)} />
          <Figure name="Subscribers" value={count(stream.subscribers)} />
          <Figure name="Slowest lag" value={count(stream.lag)} />
        </dl>
      )}
      {stream && <Charts name={name} />}
      {stream && (mayRead() ? <Events key={name} name={name} /> : <NoRight />)}
    </>
  );
}

function Charts({ name }: { readonly name: string }): JSX.Element {
  const recorded = history.value;
  const { subscribers = [], lag = [] } = recorded.streams[name] ?? {};
  const charts = [
    ["Stored per second", rates(recorded, name, "stored")],
    ["Delivered per second", rates(recorded, name, "delivered")],
    ["Subscribers", subscribers],
    ["Slowest lag", lag],
  ] as const;
  return (
    <div class="charts">
      {charts.map(([title, values]) => {
        const now = compact(values.at(-1) ?? 0);
        return (
          <figure key={title}>
            <figcaption>
              {title}: {now}
            </figcaption>
            <Chart label={`${title} in the last ten minutes, now ${now}`} values={values} height={60} />
          </figure>
        );
      })}
    </div>
  );
}

function NoRight(): JSX.Element {
  return (
    <p class="empty">
      To see the events of the stream, your key needs the right <code>inspect</code>.
    </p>
  );
}

/** The events that the URL selects. */
function Events({ name }: { readonly name: string }): JSX.Element {
  const { query, visit } = place.value;
  const options = useMemo(() => optionsOf(name, query), [name, query]);
  return (
    <>
      <h2 id="tail-title">Events</h2>
      <Selection key={visit} options={options} />
      <Rows options={options} />
    </>
  );
}

function Rows({ options }: { readonly options: TailOptions }): JSX.Element {
  const tail = useMemo(() => openTail(options), [options]);
  useEffect(() => () => tail.close(), [tail]);
  return (
    <>
      <div class="bar">
        <button
          type="button"
          aria-pressed={tail.paused.value}
          onClick={() => (tail.paused.value = !tail.paused.peek())}
        >
          {tail.paused.value ? "Continue" : "Pause"}
        </button>
        <State value={tail.paused.value ? "paused" : tail.status.value} />
        <span data-testid="received">{count(tail.received.value)} received</span>
        <span data-testid="skipped">{count(tail.skipped.value)} not shown</span>
      </div>
      {tail.error.value && <Failure error={tail.error.value} />}
      <List tail={tail} />
    </>
  );
}

function List({ tail }: { readonly tail: Tail }): JSX.Element {
  const entries = tail.entries.value;
  return (
    <ol class="tail" aria-labelledby="tail-title" tabIndex={0}>
      {entries.length === 0 && <li class="empty">No events yet.</li>}
      {entries.toReversed().map((entry) => (
        <Entry key={entry.key} entry={entry} />
      ))}
    </ol>
  );
}

function Entry({ entry }: { readonly entry: TailEntry }): JSX.Element {
  if (entry.kind === "skipped") return <li class="skipped">{plural(entry.events, "event")} not shown</li>;
  if (entry.kind === "gap") {
    const { reason, lost } = entry.gap;
    return (
      <li class="skipped">
        <State value={reason === "reset" ? "reset" : "gap"} /> {reason}
        {lost !== null && `, ${plural(lost, "event")} lost`}
      </li>
    );
  }
  const { type, id, raw } = entry.event;
  return (
    <li>
      <time>{new Date(entry.time).toISOString().slice(11, 23)}</time> <code>{id}</code> <strong>{type}</strong>{" "}
      <Data text={raw} />
    </li>
  );
}
