const colon = 0x3a;
const space = 0x20;

const fieldNames = ["data", "event", "id", "retry"] as const;

/** The known fields; a reader ignores all others. Their names are case-sensitive. */
export type FieldName = (typeof fieldNames)[number];

/** The field that the line from `start` to `end` sets; `undefined` for an unknown one. */
export function fieldAt(bytes: Uint8Array, start: number, end: number): FieldName | undefined {
  for (const name of fieldNames) if (isNamed(bytes, start, end, name)) return name;
  return undefined;
}

/** The start of the value of a field whose name ends at `nameEnd`: after the colon and one space, if present. */
export function valueStart(bytes: Uint8Array, nameEnd: number, end: number): number {
  const behindColon = Math.min(nameEnd + 1, end);
  return behindColon < end && bytes[behindColon] === space ? behindColon + 1 : behindColon;
}

function isNamed(bytes: Uint8Array, start: number, end: number, name: FieldName): boolean {
  const nameEnd = start + name.length;
  if (nameEnd > end || (nameEnd < end && bytes[nameEnd] !== colon)) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name.charCodeAt(i)) return false;
  return true;
}
