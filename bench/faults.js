/**
 * A text about lost, duplicate and other faulty events in all runs.
 * @param {readonly import("./types.d.ts").Metrics[]} runs
 */
export function faultsOf(runs) {
  const names = ["lost", "duplicates", "disordered", "refused", "closed"];
  const sums = names.map((name) => [name, runs.reduce((sum, run) => sum + (run[name] ?? 0), 0)]);
  return (
    sums
      .filter(([, sum]) => sum !== 0)
      .map(([name, sum]) => `${sum} ${name}`)
      .join(", ") || "none"
  );
}
