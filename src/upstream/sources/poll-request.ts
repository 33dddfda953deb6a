import { parseJson } from "../../util/json-pointer.ts";
import { assertContent, connect, headerOf, type UpstreamResponse } from "../connect.ts";
import { UpstreamFailure } from "../failure.ts";
import { readStream } from "../read-stream.ts";
import { longestWait } from "../retry-after.ts";
import { createTransport } from "../transport.ts";
import type { UpstreamOptions } from "../upstream.ts";
import { entityTag, modifiedDate, type PollPosition } from "./poll-position.ts";

/** The response to one request. */
export interface Page extends Pick<PollPosition, "etag" | "modified"> {
  /** False if the content is that of the last response (`304`), or if there is none (`204`). */
  readonly changed: boolean;
  /** The parsed JSON. */
  readonly content: unknown;
  /** How long the response may be reused, in ms (RFC 9111 section 4.2). */
  readonly maxAge: number;
}

/**
 * Requests a page, and reads it completely. Uses a connection of its own, because one that was kept may be closed by the
 * server at any time.
 * @throws {UpstreamFailure} also `upstream-message-too-large` and `upstream-data-invalid`.
 */
export async function requestPage(
  url: string,
  options: UpstreamOptions,
  position: PollPosition,
  signal: AbortSignal,
): Promise<Page> {
  const transport = createTransport(options);
  try {
    const headers = { accept: "application/json", ...conditions(position) };
    // The cursor of the API is already in the URL.
    const response = await connect(transport, url, options, { headers, cursor: undefined, signal });
    const maxAge = maxAgeOf(response);
    if (response.statusCode === 304 || response.statusCode === 204)
      return { changed: false, content: undefined, maxAge };
    assertContent(response, isJson);
    const content = parse(await readText(response, options, signal));
    return {
      changed: true,
      content,
      maxAge,
      etag: entityTag(headerOf(response.headers, "etag")),
      modified: modifiedDate(headerOf(response.headers, "last-modified")),
    };
  } finally {
    transport.close();
  }
}

function conditions({ etag, modified }: PollPosition): Record<string, string> {
  return {
    ...(etag !== undefined && { "if-none-match": etag }),
    ...(modified !== undefined && { "if-modified-since": modified }),
  };
}

/** Servers also send JSON as text or without a type. HTML, that of login and error pages, is refused. */
function isJson(contentType = "application/json"): boolean {
  return /^(application\/([\w.+-]+\+)?json|application\/octet-stream|text\/(json|plain)) *(;|$)/i.test(contentType);
}

async function readText({ body }: UpstreamResponse, options: UpstreamOptions, signal: AbortSignal): Promise<string> {
  const { maxEventBytes, timeouts } = options;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of readStream(body, timeouts.idle, signal)) {
    length += chunk.length;
    if (length > maxEventBytes) throw new UpstreamFailure("upstream-message-too-large");
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function parse(text: string): unknown {
  const value = parseJson(text);
  if (value === undefined) throw new UpstreamFailure("upstream-data-invalid", { reason: "NOT_JSON" });
  return value;
}

/** The rest of the time for which a response is fresh, bounded so that a mistaken header does not stop polling. */
function maxAgeOf({ headers }: UpstreamResponse): number {
  const maxAge = /(?:^|[,\s])max-age=(\d{1,9})/i.exec(headerOf(headers, "cache-control") ?? "")?.[1];
  const age = /^\d{1,9}$/.exec(headerOf(headers, "age") ?? "")?.[0] ?? 0;
  const seconds = Number(maxAge ?? 0) - Number(age);
  return Math.min(Math.max(seconds * 1_000, 0), longestWait);
}
