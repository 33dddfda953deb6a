const date = String.raw`\d{4}-\d\d-\d\d`;
const dateTime = String.raw`${date}T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`;

const dateTimeOnly = new RegExp(`^${dateTime}$`, "i");
const dateOrDateTime = new RegExp(`^(${date}|${dateTime})$`, "i");

/** Reads a date and time with a zone (RFC 3339 section 5.6) as ms since 1970; `NaN` for anything else. */
export function parseDateTime(text: string): number {
  return dateTimeOnly.test(text) ? Date.parse(text) : Number.NaN;
}

/** Like {@link parseDateTime}, but also accepts a date alone, which means midnight UTC. */
export function parseDateOrTime(text: string): number {
  return dateOrDateTime.test(text) ? Date.parse(text) : Number.NaN;
}
