import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Check } from "../../src/doctor/check.ts";
import { load } from "../api.ts";
import { Failure, State, Table, type Column } from "../ui.tsx";

/** What `spillway doctor` finds on the machine of the gateway. */
export function Doctor(): JSX.Element {
  const checks = useSignal<readonly Check[] | undefined>(undefined);
  const error = useSignal<Error | undefined>(undefined);

  async function run(): Promise<void> {
    checks.value = undefined;
    error.value = undefined;
    try {
      checks.value = (await load<{ readonly checks: readonly Check[] }>("admin/doctor")).checks;
    } catch (cause) {
      error.value = cause as Error;
    }
  }

  useEffect(() => void run(), []);
  return (
    <>
      <h1>Doctor</h1>
      <p class="bar">
        <button type="button" onClick={() => void run()}>
          Check again
        </button>
        <span role="status">{checks.value || error.value ? "" : "Checking…"}</span>
      </p>
      {error.value && <Failure error={error.value} />}
      {checks.value && (
        <Table label="Checks" columns={columns} rows={checks.value} keyOf={keyOf} empty="Nothing was checked." />
      )}
    </>
  );
}

function keyOf({ name, found }: Check): string {
  return name + found;
}

const columns: readonly Column<Check>[] = [
  { title: "Check", cell: ({ name }) => name },
  { title: "Result", cell: ({ outcome }) => <State value={outcome} /> },
  { title: "Found", cell: ({ found }) => found },
  { title: "What to do", cell: ({ advice }) => advice ?? "–" },
];
