import type { JSX } from "preact";
import type { GatewayStatus, RouteStatus, TargetStatus } from "../../src/http/gateway-status.ts";
import { count } from "../format.ts";
import { usePoll } from "../poll.ts";
import { Failure, Figure, State, Table, type Column } from "../ui.tsx";

/** The routes, and the servers behind them. */
export function Routes(): JSX.Element {
  const { data, error } = usePoll<GatewayStatus>("status", 2000).value;
  const routes = Object.entries(data?.routes ?? {});
  return (
    <>
      <h1>Routes</h1>
      {error && <Failure error={error} />}
      {data && routes.length === 0 && <p class="empty">The gateway has no routes.</p>}
      {routes.map(([pattern, route]) => (
        <section key={pattern}>
          <h2>
            <code>{pattern}</code>
          </h2>
          <Counts route={route} />
          <Table
            label={`Targets of ${pattern}`}
            columns={columns}
            rows={Object.entries(route.targets)}
            keyOf={([name]) => name}
            empty="The route has no targets."
          />
        </section>
      ))}
    </>
  );
}

function Counts({
  route: { requests, active, failed, responses, shared, runs },
}: {
  readonly route: RouteStatus;
}): JSX.Element {
  const classes = Object.entries(responses).filter(([, number]) => number > 0);
  return (
    <dl class="figures">
      <Figure name="Requests" value={count(requests)} />
      <Figure name="Active" value={count(active)} />
      <Figure name="Failed" value={count(failed)} />
      <Figure
        name="Responses"
        value={classes.map(([name, number]) => `${name}: ${count(number)}`).join(", ") || "none"}
      />
      {shared && (
        <Figure name="Shared" value={`${count(shared.subscribers)} clients of ${count(shared.streams)} requests`} />
      )}
      {runs && (
        <Figure
          name="Runs"
          value={`${count(runs.running)} running, ${count(runs.completed)} completed, ${count(runs.failed)} failed`}
        />
      )}
    </dl>
  );
}

const columns: readonly Column<readonly [string, TargetStatus]>[] = [
  { title: "Target", cell: ([name]) => name },
  { title: "State", cell: ([, { state }]) => <State value={state} /> },
  { title: "Active", isNumber: true, cell: ([, { active }]) => count(active) },
  { title: "Waiting", isNumber: true, cell: ([, { waiting }]) => count(waiting) },
  { title: "Requests", isNumber: true, cell: ([, { requests }]) => count(requests) },
  { title: "Failures", isNumber: true, cell: ([, { failures }]) => count(failures) },
  { title: "Retries", isNumber: true, cell: ([, { retries }]) => count(retries) },
  { title: "Ejections", isNumber: true, cell: ([, { ejections }]) => count(ejections) },
];
