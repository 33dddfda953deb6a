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

/** The stream's last sequence number is not the expected one; nothing was stored. */
export class WrongSequenceError extends Error {
  override readonly name = "WrongSequenceError";
  /** The actual last sequence number, of the stream or the subject. */
  readonly last: number;

  constructor(message: string) {
    super(message);
    this.last = Number(/\d+$/.exec(message)?.[0] ?? 0);
  }
}

/** No answer came, so it is unknown whether the message was stored. */
export class UnknownOutcomeError extends SpillwayError {
  constructor(cause: unknown) {
    super("store-unavailable", `NATS did not answer: ${textOf(cause)}`, { cause });
  }
}

/** Whether nobody takes messages for the subject, so that nothing was stored. */
export function isUnserved(error: unknown): boolean {
  return error instanceof UnknownOutcomeError && (error.cause as Error | undefined)?.name === "JetStreamNotEnabled";
}

/** The connection was lost during a request. */
export class ConnectionLostError extends Error {
  override readonly name = "ConnectionLostError";
}

/** Maps an error of the driver to {@link WrongSequenceError}, or to the error for the caller of the store. */
export function requestError(error: unknown): Error {
  return apiCode(error) === wrongLastSequence ? new WrongSequenceError(textOf(error)) : storeError(error);
}

/** Maps an error to the error for the caller of the store. */
export function storeError(error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const code = apiCode(error);
  if (code === undefined) return new UnknownOutcomeError(error);
  return new SpillwayError(codes[code] ?? "store-unavailable", `NATS: ${textOf(error)}`, { cause: error });
}

/** Whether a stream does not exist. */
export function isStreamNotFound(error: unknown): boolean {
  return apiCode(error) === streamNotFound;
}

/** Whether a stream already exists with another configuration. */
export function isNameInUse(error: unknown): boolean {
  return apiCode(error) === nameInUse;
}

/**
 * Whether the subjects overlap with those of another stream, which may be the same stream that another node is
 * creating.
 */
export function isOverlap(error: unknown): boolean {
  return apiCode(error) === subjectsOverlap;
}

/** The error code of the JetStream API. An error of the client has no code, or one that is not a number. */
function apiCode(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "number" && code >= 10_000 ? code : undefined;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
