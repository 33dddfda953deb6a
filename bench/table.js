/** Tables in Markdown. */
import { faultsOf } from "./faults.js";

/** @typedef {import("./results.js").Measurement} Measurement */

/** Above this the load client or the origin may have been what was measured. */
const busyLimit = 0.9;

/**
 * The rows of one comparison.
 * @param {import("./types.d.ts").Scenario} scenario
 * @param {readonly Measurement[]} rows
 */
export function comparisonTable({ within, columns }, rows) {
  const [lead] = columns;
  const nameOf = (/** @type {Measurement} */ { server, variant }) => (within === undefined ? server : variant);
  const valueOf = (/** @type {Measurement} */ { median }) => median[lead?.key ?? ""] ?? NaN;
  const titles = columns.map(({ title }) => title);
  const relation = `${lead?.title}: × ${within === undefined ? nameOf(rows[0]) : "first row"}`;
  const head = [within ?? "server", ...titles, relation, "runs", "faults"];
  const lines = rows.map((row) => [
    nameOf(row),
    ...columns.map(({ key, digits }) => format(row.median[key], digits)),
    format(valueOf(row) / valueOf(rows[0]), 2),
    String(row.runs.length),
    remarks(row),
  ]);
  return table(head, lines);
}

/** What a reader of the row has to know. */
function remarks(/** @type {Measurement} */ { runs, median, reason }) {
  const remark = [
    ...(runs.length > 0 ? [faultsOf(runs)] : []),
    ...(reason === "" ? [] : [reason]),
    ...((median.loadBusy ?? 0) > busyLimit ? ["load side busy"] : []),
    ...(median.contended === 1 ? ["cores shared with the load"] : []),
  ];
  return remark.join("; ");
}

/**
 * A number for readers; "–" of none.
 * @param {number | undefined} value
 * @param {number} digits
 */
export function format(value, digits) {
  if (value === undefined || !Number.isFinite(value)) return "–";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * Columns of numbers are aligned to the right.
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows
 */
export function table(head, rows) {
  const rule = head.map((_, index) => (rows.every((cells) => /^([\d.,]+|–)$/.test(cells[index])) ? "---:" : "---"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
