import { errorCodes, SpillwayError, type ErrorCode } from "../errors.ts";
import { parseJsonObject } from "../util/json-object.ts";

/** A JSON object that a gateway has answered with. */
export type Answer = Readonly<Record<string, unknown>>;

/**
 * Sends a request to a gateway and resolves to the JSON object in its answer.
 * @throws {SpillwayError} `upstream-connect` if the server does not answer, else the error code of its answer.
 */
export async function requestJson(url: URL, request: RequestInit): Promise<Answer> {
  const response = await fetch(url, request).catch((cause: unknown) => {
    throw new SpillwayError("upstream-connect", `${url.host} does not answer (${reasonOf(cause)})`, { cause });
  });
  const answer = parseJsonObject(await response.text());
  if (response.ok) return answer;
  throw problemError(response.status, answer);
}

/** The error that a problem+json answer (RFC 9457) describes. */
function problemError(status: number, { code, detail, title }: Answer): SpillwayError {
  const known = typeof code === "string" && Object.hasOwn(errorCodes, code);
  const text =
    [detail, title].find((part): part is string => typeof part === "string") ?? "not the answer of a gateway";
  return new SpillwayError(known ? (code as ErrorCode) : "upstream-status", `${text} (HTTP ${status})`);
}

/** The socket's error code, which `fetch` puts into `cause`. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: NodeJS.ErrnoException };
  return cause?.code ?? (error as Error).message;
}
