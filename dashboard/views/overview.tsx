import type { JSX } from "preact";
import type { GatewayStatus, StreamStatus } from "../../src/http/gateway-status.ts";
import { ago, bytes, compact, count, duration, plural } from "../format.ts";
import { usePoll } from "../poll.ts";
import { linkTo } from "../router.ts";
import { Failure, Figure, State, Table, type Column } from "../ui.tsx";

/** All streams, with what an operator looks for first. */
export function Overview(): JSX.Element {
  const { data, error } = usePoll<GatewayStatus>("status", 2000).value;
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
  { title: "Head", cell: ({ head }) => <code>{head}</code> },
  { title: "Last event", cell: ({ lastEvent }) => ago(lastEvent) },
  { title: "Retained", cell: ({ events, bytes: size }) => `${compact(events)} events, ${bytes(size)}` },
  { title: "Subscribers", isNumber: true, cell: ({ subscribers }) => count(subscribers) },
  { title: "Slowest lag", isNumber: true, cell: ({ lag }) => count(lag) },
  { title: "Gaps", isNumber: true, cell: ({ gaps }) => count(gaps) },
];

/** Why the log cannot store events, or else the state of the upstream. */
function sourceState({ paused, upstream }: StreamStatus): string {
  return paused ?? upstream?.state ?? "publish only";
}
