import { type ErrorCode, SpillwayError } from "../../errors.ts";

/** JetStream's error codes (nats-io/nats-server, server/errors.json) that mean more than `store-unavailable`. */
const codes: Readonly<Record<number, ErrorCode>> = {
  10002: "store-full", // account resources exceeded
  10023: "store-full", // insufficient resources
  10028: "store-full", // memory resources exceeded
  10047: "store-full", // storage resources exceeded
  10077: "store-full", // a limit of the stream, such as its maximum of bytes
};

const wrongLastSequence = 10_071;
const streamNotFound = 10_059;
const nameInUse = 10_058;
const subjectsOverlap = 10_065;

/** The stream has grown, or shrunk, since the publisher last looked; nothing was stored. */
export class WrongSequenceError extends Error {
  override readonly name = "WrongSequenceError";
  /** The last sequence number of the stream, or of the subject that was expected to be at another. */
  readonly last: number;

  constructor(message: string) {
    super(message);
    this.last = Number(/\d+$/.exec(message)?.[0] ?? 0);
  }
}

/** Nobody can say whether it was stored: no answer came. */
export class UnknownOutcomeError extends SpillwayError {
  constructor(cause: unknown) {
    super("store-unavailable", `NATS did not answer: ${textOf(cause)}`, { cause });
  }
}

/** The connection was lost while a request was under way. */
export class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
}

/** What an error of the driver means for the store: {@link WrongSequenceError}, or what its caller gets. */
export function requestError(error: unknown): Error {
  return apiCode(error) === wrongLastSequence ? new WrongSequenceError(textOf(error)) : storeError(error);
}

/** What an error means for the caller of a store. */
export function storeError(error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const code = apiCode(error);
  if (code === undefined) return new UnknownOutcomeError(error);
  return new SpillwayError(codes[code] ?? "store-unavailable", `NATS: ${textOf(error)}`, { cause: error });
}

/** Whether a stream is not there. */
export function isStreamNotFound(error: unknown): boolean {
  return apiCode(error) === streamNotFound;
}

/** Whether a stream is there already, otherwise configured. */
export function isNameInUse(error: unknown): boolean {
  return apiCode(error) === nameInUse;
}

/** Whether a stream has subjects of another one, which may be the same one as another node makes it at this moment. */
export function isOverlap(error: unknown): boolean {
  return apiCode(error) === subjectsOverlap;
}

/** The code of an answer of the JetStream API; an error of the client has none, or one that is no number. */
function apiCode(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "number" && code >= 10_000 ? code : undefined;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
