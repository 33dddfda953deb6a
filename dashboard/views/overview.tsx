import type { JSX } from "preact";
import type { GatewayStatus, StreamStatus } from "../../src/http/gateway-status.ts";
import { Chart } from "../chart.tsx";
import { ago, bytes, compact, count, duration, plural, share } from "../format.ts";
import { history, rates, useHistory } from "../history.ts";
import { usePoll } from "../poll.ts";
import { linkTo } from "../router.ts";
import { Failure, Figure, State, Table, type Column } from "../ui.tsx";

/** All streams, with what an operator looks for first. */
export function Overview(): JSX.Element {
  const { data, error } = usePoll<GatewayStatus>("status", 2000).value;
  useHistory();
  return (
    <>
      <h1>Streams</h1>
      {error && <Failure error={error} />}
      {data && <Summary status={data} />}
      {data && (
        <Table
          label="Streams"
          columns={columns}
          rows={Object.values(data.streams)}
          keyOf={({ name }) => name}
          empty="The gateway has no streams."
        />
      )}
    </>
  );
}

function Summary({ status }: { readonly status: GatewayStatus }): JSX.Element {
  const streams = Object.values(status.streams);
  const sum = (of: (stream: StreamStatus) => number): number =>
    streams.reduce((total, stream) => total + of(stream), 0);
  return (
    <dl class="figures">
      <Figure name="Gateway" value={<State value={status.ready ? "ok" : "not ready"} />} />
      <Figure name="Version" value={status.version} />
      <Figure name="Uptime" value={duration(status.uptime * 1000)} />
      <Figure name="Subscribers" value={count(sum(({ subscribers }) => subscribers))} />
      <Figure name="Unsent" value={bytes(sum(({ unsent }) => unsent))} />
      {status.workers && <Figure name="Workers" value={plural(status.workers.length, "process", "processes")} />}
    </dl>
  );
}

const columns: readonly Column<StreamStatus>[] = [
  { title: "Stream", cell: ({ name }) => <a href={linkTo("streams", name)}>{name}</a> },
  { title: "Source", cell: (stream) => <State value={sourceState(stream)} /> },
  { title: "Rate", cell: ({ name }) => <Rate name={name} /> },
  { title: "Head", cell: ({ head }) => <code>{head}</code> },
  { title: "Last event", cell: ({ lastEvent }) => ago(lastEvent) },
  { title: "Retained", cell: (stream) => <Retained stream={stream} /> },
  { title: "Subscribers", isNumber: true, cell: ({ subscribers }) => count(subscribers) },
  { title: "Slowest lag", isNumber: true, cell: ({ lag }) => count(lag) },
  { title: "Gaps", isNumber: true, cell: ({ gaps }) => count(gaps) },
];

function Rate({ name }: { readonly name: string }): JSX.Element {
  const values = rates(history.value, name, "stored");
  const text = `${compact(values.at(-1) ?? 0)}/s`;
  return (
    <span class="rate">
      <Chart label={`Events per second of ${name}, now ${text}`} values={values} height={24} />
      <span>{text}</span>
    </span>
  );
}

/** What the log holds, and how much of its tightest limit that is. */
function Retained({ stream }: { readonly stream: StreamStatus }): JSX.Element {
  const { events, bytes: size, retention } = stream;
  const parts = [share(events, retention.events), share(size, retention.bytes)].filter((part) => part !== undefined);
  return (
    <>
      {compact(events)} events, {bytes(size)}
      {parts.length > 0 && ` (${Math.round(Math.max(...parts) * 100)} %)`}
    </>
  );
}

/** Why the log cannot store events, or else the state of the upstream. */
function sourceState({ paused, upstream }: StreamStatus): string {
  return paused ?? upstream?.state ?? "publish only";
}
