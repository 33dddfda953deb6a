import { useSignal } from "@preact/signals";
import type { InputHTMLAttributes, JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { StartPosition } from "spillway/client";
import type { GatewayStatus } from "../../src/http/gateway-status.ts";
import { endpoint, headers, mayRead } from "../api.ts";
import { Chart } from "../chart.tsx";
import { ago, bytes, compact, count, plural } from "../format.ts";
import { history, rates, useHistory } from "../history.ts";
import { Data } from "../json-view.tsx";
import { usePoll } from "../poll.ts";
import { linkTo } from "../router.ts";
import { openTail, type Tail, type TailEntry, type TailOptions } from "../tail.ts";
import { Failure, Figure, formReader, State } from "../ui.tsx";

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

type Position = "last" | "earliest" | "after" | "since" | "now";

/** The form that selects events, and the tail. */
function Events({ name }: { readonly name: string }): JSX.Element {
  const options = useSignal<TailOptions>({ stream: name, start: { last: 20 } });
  return (
    <>
      <h2 id="tail-title">Events</h2>
      <Selection name={name} onSelect={(selected) => (options.value = selected)} />
      <Rows options={options.value} />
    </>
  );
}

interface SelectionProps {
  readonly name: string;
  readonly onSelect: (options: TailOptions) => void;
}

function Selection({ name, onSelect }: SelectionProps): JSX.Element {
  const position = useSignal<Position>("last");
  const outcome = useSignal<string | undefined>(undefined);

  async function select(event: Event): Promise<void> {
    event.preventDefault();
    const read = formReader(event.target as HTMLFormElement);
    const text = (field: string): string => read(field).trim();
    const start = startOf(position.value, text("value"));
    const list = (field: string): readonly string[] | undefined =>
      text(field) === ""
        ? undefined
        : text(field)
            .split(",")
            .map((each) => each.trim());
    outcome.value =
      "after" in start && start.after !== "earliest" && start.after !== "now"
        ? await check(name, start.after)
        : undefined;
    onSelect({
      stream: name,
      start,
      channels: list("channels"),
      events: list("events"),
      filter: text("filter") || undefined,
    });
  }

  const asks = fields[position.value];
  return (
    <form class="selection" onSubmit={(event) => void select(event)}>
      <div>
        <label for="position">Start</label>
        <select
          id="position"
          value={position.value}
          onChange={({ currentTarget }) => (position.value = currentTarget.value as Position)}
        >
          <option value="last">with the last events</option>
          <option value="earliest">with the first event held</option>
          <option value="after">after an id (resume)</option>
          <option value="since">at a time</option>
          <option value="now">with the next event</option>
        </select>
      </div>
      {asks && (
        <div>
          <label for="value">{asks.label}</label>
          <input id="value" name="value" key={position.value} required {...asks.attributes} />
        </div>
      )}
      <div>
        <label for="channels">Channels</label>
        <input id="channels" name="channels" placeholder="a, user:*" />
      </div>
      <div>
        <label for="events">Types</label>
        <input id="events" name="events" placeholder="trade, quote" />
      </div>
      <div>
        <label for="filter">Filter</label>
        <input id="filter" name="filter" placeholder="data.price > 100" />
      </div>
      <button>Show</button>
      {outcome.value !== undefined && (
        <p role="status" class="outcome">
          This cursor: <State value={outcome.value} /> {explanations[outcome.value]}
        </p>
      )}
    </form>
  );
}

interface PositionField {
  readonly label: string;
  readonly attributes: InputHTMLAttributes;
}

const fields: Partial<Record<Position, PositionField>> = {
  last: { label: "How many", attributes: { type: "number", min: 1, defaultValue: "20" } },
  after: { label: "Id", attributes: { type: "text" } },
  since: { label: "Local time", attributes: { type: "datetime-local", step: "any" } },
};

function startOf(position: Position, value: string): StartPosition {
  if (position === "last") return { last: Number(value) };
  if (position === "since") return { since: new Date(value).toISOString() };
  return { after: position === "after" ? value : position };
}

const explanations: Readonly<Record<string, string>> = {
  held: "every event after it is still in the log.",
  gap: "events after it are no longer in the log. A client that resumes there is told how many.",
  reset: "the log does not know it. A client that resumes there gets a reset.",
};

/** What a client that resumes with this cursor would get. */
async function check(stream: string, after: string): Promise<string> {
  const url = endpoint(`streams/${encodeURIComponent(stream)}?after=${encodeURIComponent(after)}`);
  const response = await fetch(url, { method: "HEAD", headers, cache: "no-store" });
  const outcome = response.headers.get("spillway-resume");
  return outcome === "gap" || outcome === "reset" ? outcome : response.ok ? "held" : "not a cursor";
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
