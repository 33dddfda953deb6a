/** Parts that several views use. */
import type { ComponentChildren, JSX } from "preact";
import type { ApiError } from "./api.ts";

/** An error, with its stable code. */
export function Failure({ error }: { readonly error: Error }): JSX.Element {
  const { code, retryAfter } = error as Partial<Pick<ApiError, "code" | "retryAfter">>;
  return (
    <p class="failure" role="alert">
      {code !== undefined && <code>{code}</code>} {error.message}
      {retryAfter !== undefined && ` (again in ${retryAfter} s)`}
    </p>
  );
}

/** A state as a word with a color. */
export function State({ value }: { readonly value: string }): JSX.Element {
  return <span class={`state ${colors[value] ?? "calm"}`}>{value}</span>;
}

const colors: Readonly<Record<string, string>> = {
  open: "good",
  up: "good",
  active: "good",
  ok: "good",
  connecting: "warn",
  waiting: "warn",
  failing: "warn",
  ejected: "warn",
  warn: "warn",
  gap: "warn",
  reset: "warn",
  failed: "bad",
  down: "bad",
  stopped: "bad",
  gone: "bad",
  fail: "bad",
};

export interface Column<Row> {
  readonly title: string;
  /** What the cell shows. */
  readonly cell: (row: Row) => ComponentChildren;
  /** Whether it is a number, which is aligned to the right. */
  readonly isNumber?: boolean;
}

interface TableProps<Row> {
  /** What the table lists, for screen readers. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** What is shown instead of an empty table. */
  readonly empty: ComponentChildren;
}

/** A table. On a narrow screen each row becomes a block, so the roles are written out: their boxes are no table then. */
export function Table<Row>({ label, columns, rows, keyOf, empty }: TableProps<Row>): JSX.Element {
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  return (
    <table role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ title, isNumber }) => (
            <th key={title} role="columnheader" scope="col" class={isNumber ? "number" : undefined}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row">
            {columns.map(({ title, cell, isNumber }) => (
              <td key={title} role="cell" data-label={title} class={isNumber ? "number" : undefined}>
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Reads the fields of a form by their names; `""` for one that is absent. */
export function formReader(form: HTMLFormElement): (field: string) => string {
  const values = new FormData(form);
  return (field) => {
    const value = values.get(field);
    return typeof value === "string" ? value : "";
  };
}

/** A figure with its name. */
export function Figure({ name, value }: { readonly name: string; readonly value: ComponentChildren }): JSX.Element {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
