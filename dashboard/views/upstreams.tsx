import type { JSX } from "preact";
import type { StreamUpstreamStatus } from "../../src/http/gateway-status.ts";
import type { UpstreamAttempt } from "../../src/upstream/upstream.ts";
import { ago, count, duration, until } from "../format.ts";
import { usePoll } from "../poll.ts";
import { Failure, Figure, State, Table, type Column } from "../ui.tsx";

interface Upstream extends StreamUpstreamStatus {
  readonly attempts: readonly UpstreamAttempt[];
}

/** The connections to the sources, and their last attempts. */
export function Upstreams(): JSX.Element {
  const { data, error } = usePoll<{ readonly upstreams: Readonly<Record<string, Upstream>> }>(
    "admin/upstreams",
    2000,
  ).value;
  const upstreams = Object.entries(data?.upstreams ?? {});
  return (
    <>
      <h1>Sources</h1>
      {error && <Failure error={error} />}
      {data && upstreams.length === 0 && <p class="empty">No stream has a source.</p>}
      {upstreams.map(([stream, upstream]) => (
        <section key={stream}>
          <h2>{stream}</h2>
          <dl class="figures">
            <Figure name="State" value={<State value={upstream.state} />} />
            <Figure name="Target" value={upstream.target ?? "none yet"} />
            {upstream.openSince && <Figure name="Open since" value={ago(upstream.openSince)} />}
            {upstream.retryAt && <Figure name="Next attempt" value={until(upstream.retryAt)} />}
            <Figure name="Received" value={count(upstream.received)} />
            <Figure name="Repeated" value={count(upstream.repeated)} />
            <Figure name="Refused" value={count(upstream.refused)} />
            <Figure name="Reconnects" value={count(upstream.reconnects)} />
            <Figure name="Resumes at" value={<code>{upstream.lastEventId ?? "the start"}</code>} />
          </dl>
          <Table
            label={`Attempts of ${stream}`}
            columns={columns}
            rows={upstream.attempts}
            keyOf={({ startedAt }) => startedAt}
            empty="No attempt has ended yet."
          />
        </section>
      ))}
    </>
  );
}

const columns: readonly Column<UpstreamAttempt>[] = [
  { title: "Begun", cell: ({ startedAt }) => ago(startedAt) },
  { title: "Target", cell: ({ target }) => target },
  { title: "Result", cell: ({ outcome }) => <State value={outcome} /> },
  { title: "Open for", isNumber: true, cell: ({ openFor }) => (openFor === null ? "–" : duration(openFor)) },
  { title: "Error", cell: ({ error }) => (error ? <code>{error}</code> : "–") },
  { title: "HTTP status", isNumber: true, cell: ({ status }) => status ?? "–" },
  { title: "Reason", cell: ({ reason }) => reason ?? "–" },
];
