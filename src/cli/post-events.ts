import { errorCodes, SpillwayError, type ErrorCode } from "../errors.ts";

/**
 * Publishes events in one request.
 * @returns their ids.
 * @throws {SpillwayError} `upstream-connect` if the server does not answer, else the error code of its answer.
 */
export async function postEvents(
  endpoint: URL,
  events: readonly object[],
  headers: Readonly<Record<string, string>>,
): Promise<string[]> {
  const request = {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(events),
  };
  const response = await fetch(endpoint, request).catch((cause: unknown) => {
    throw new SpillwayError("upstream-connect", `${endpoint.host} does not answer (${reasonOf(cause)})`, { cause });
  });
  const answer = parseJson(await response.text());
  if (response.ok && Array.isArray(answer["ids"])) return answer["ids"].map(String);
  throw problemError(response.status, answer);
}

/** The error that a problem+json answer (RFC 9457) describes. */
function problemError(status: number, { code, detail, title }: Readonly<Record<string, unknown>>): SpillwayError {
  const known = typeof code === "string" && Object.hasOwn(errorCodes, code);
  const text = [detail, title].find((part): part is string => typeof part === "string") ?? "the answer contains no ids";
  return new SpillwayError(known ? (code as ErrorCode) : "upstream-status", `${text} (HTTP ${status})`);
}

function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** The socket's error code, which `fetch` puts into `cause`. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: NodeJS.ErrnoException };
  return cause?.code ?? (error as Error).message;
}
