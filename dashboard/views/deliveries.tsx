import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { DeliveriesStatus, DeliveryStatus } from "../../src/http/gateway-status.ts";
import { mayChange, post } from "../api.ts";
import { ago, count, until } from "../format.ts";
import { usePoll } from "../poll.ts";
import { Failure, State, Table, type Column } from "../ui.tsx";

type Row = readonly [name: string, delivery: DeliveryStatus];

/** The webhooks that the gateway sends. */
export function Deliveries(): JSX.Element {
  const { data, error } = usePoll<{ readonly deliveries: DeliveriesStatus }>("admin/deliveries", 2000).value;
  const failure = useSignal<Error | undefined>(undefined);

  async function command(name: string, verb: string): Promise<void> {
    failure.value = undefined;
    try {
      await post(`admin/deliveries/${encodeURIComponent(name)}/${verb}`);
    } catch (cause) {
      failure.value = cause as Error;
    }
  }

  const commands: Column<Row> = {
    title: "Commands",
    cell: ([name, { state, dead, resent }]) => (
      <span class="bar">
        <button
          type="button"
          onClick={() => void command(name, state === "paused" || state === "gone" ? "resume" : "pause")}
        >
          {state === "paused" || state === "gone" ? "Resume" : "Pause"}
        </button>
        {dead > resent && (
          <button type="button" onClick={() => void command(name, "retry")}>
            Send dead letters again
          </button>
        )}
      </span>
    ),
  };
  return (
    <>
      <h1>Deliveries</h1>
      {error && <Failure error={error} />}
      {failure.value && <Failure error={failure.value} />}
      {data && (
        <Table
          label="Deliveries"
          columns={mayChange("admin") ? [...columns, commands] : columns}
          rows={Object.entries(data.deliveries)}
          keyOf={([name]) => name}
          empty="The gateway has no deliveries."
        />
      )}
    </>
  );
}

const columns: readonly Column<Row>[] = [
  { title: "Delivery", cell: ([name]) => name },
  { title: "Stream", cell: ([, { stream }]) => stream },
  { title: "State", cell: ([, { state }]) => <State value={state} /> },
  { title: "Lag", isNumber: true, cell: ([, { lag }]) => (lag === null ? "–" : count(lag)) },
  { title: "Waiting", isNumber: true, cell: ([, { waiting }]) => count(waiting) },
  { title: "Delivered", isNumber: true, cell: ([, { delivered }]) => count(delivered) },
  { title: "Failed", isNumber: true, cell: ([, { failed }]) => count(failed) },
  { title: "Dead", isNumber: true, cell: ([, { dead }]) => count(dead) },
  { title: "Last error", cell: ([, { lastError }]) => (lastError ? <code>{lastError}</code> : "–") },
  { title: "Last delivered", cell: ([, { lastDelivered }]) => ago(lastDelivered) },
  { title: "Retry", cell: ([, { retryAt }]) => (retryAt === null ? "–" : until(retryAt)) },
];
