/** A place in one log, as it goes over the wire: `<epoch>.<seq>`. Opaque to clients. */
export interface Cursor {
  readonly epoch: string;
  readonly seq: number;
}

const pattern = /^([0-9a-z]{1,16})\.(0|[1-9]\d{0,15})$/;

export function formatCursor(epoch: string, seq: number): string {
  return `${epoch}.${seq}`;
}

/** Reads a cursor; `undefined` for anything that {@link formatCursor} could not have written. */
export function parseCursor(text: string): Cursor | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const seq = Number(match[2]);
  return Number.isSafeInteger(seq) ? { epoch: match[1]!, seq } : undefined;
}

/** A new epoch: ten random characters, so that a cursor of one log is never taken for another's. */
export function newEpoch(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => (byte % 36).toString(36)).join("");
}
