import type { JSX } from "preact";
import type { GatewayStatus, StreamStatus, WorkerStatus } from "../../src/http/gateway-status.ts";
import type { NodeSummary } from "../../src/http/clients.ts";
import { count, duration } from "../format.ts";
import { usePoll } from "../poll.ts";
import { Failure, State, Table, type Column } from "../ui.tsx";

/** The processes that serve the gateway's clients, and who ingests which stream. */
export function Cluster(): JSX.Element {
  const { data, error } = usePoll<GatewayStatus>("status", 2000).value;
  const nodes = usePoll<{ readonly nodes: readonly NodeSummary[]; readonly complete: boolean }>(
    "admin/nodes",
    5000,
  ).value;
  const shared = Object.values(data?.streams ?? {}).filter(({ replication }) => replication !== undefined);
  return (
    <>
      <h1>Cluster</h1>
      {error && <Failure error={error} />}
      {nodes.error && <Failure error={nodes.error} />}
      {nodes.data && (
        <>
          <h2>Nodes</h2>
          <Table
            label="Nodes"
            columns={nodeColumns}
            rows={nodes.data.nodes}
            keyOf={({ node }) => node}
            empty="No node has answered."
          />
          {!nodes.data.complete && <p class="failure">A node has not answered in time.</p>}
        </>
      )}
      {data?.workers && (
        <>
          <h2>Workers</h2>
          <Table
            label="Workers"
            columns={workerColumns}
            rows={data.workers}
            keyOf={({ pid }) => String(pid)}
            empty="None."
          />
        </>
      )}
      {data && (
        <>
          <h2>Streams on this node</h2>
          <Table
            label="Streams"
            columns={streamColumns}
            rows={shared}
            keyOf={({ name }) => name}
            empty="This node shares its store with no other."
          />
        </>
      )}
    </>
  );
}

const nodeColumns: readonly Column<NodeSummary>[] = [
  { title: "Node", cell: ({ node }) => node },
  { title: "Version", cell: ({ version }) => version },
  { title: "Uptime", isNumber: true, cell: ({ uptime }) => duration(uptime * 1000) },
  { title: "Subscribers", isNumber: true, cell: ({ subscribers }) => count(subscribers) },
  { title: "Ingests", cell: ({ leads }) => leads.join(", ") || "–" },
];

const workerColumns: readonly Column<WorkerStatus>[] = [
  { title: "Process", cell: ({ pid }) => pid },
  { title: "Subscribers", isNumber: true, cell: ({ subscribers }) => count(subscribers) },
];

const streamColumns: readonly Column<StreamStatus>[] = [
  { title: "Stream", cell: ({ name }) => name },
  { title: "Leader", cell: ({ lease }) => lease?.holder ?? "–" },
  { title: "Here", cell: ({ leader }) => (leader ? "ingests" : "follows") },
  { title: "Fence", isNumber: true, cell: ({ lease }) => lease?.fence ?? "–" },
  { title: "Store", cell: ({ replication }) => <State value={replication!.connected ? "connected" : "down"} /> },
  {
    title: "Lag",
    isNumber: true,
    cell: ({ replication }) => (replication!.lag === null ? "–" : `${replication!.lag} s`),
  },
  { title: "Reconnects", isNumber: true, cell: ({ replication }) => count(replication!.reconnects) },
];
