import { isEventStream } from "../sse/index.ts";
import type { HttpHeaders } from "../http/message.ts";
import type { RouteOptions } from "./options.ts";
import { EndToEndHeaders } from "./request-head.ts";

/** The head of a target's response. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly isEventStream: boolean;
  /** Whether the body is compressed, or encoded otherwise. */
  readonly isEncoded: boolean;
}

/** What a target said of its own cross-origin policy; the gateway's decides where there is one. */
const corsField = /^access-control-/;

/**
 * The head for the client.
 * @param fields names and values in turn, as the target sent them
 */
export function responseHead(
  status: number,
  fields: readonly string[],
  route: Pick<RouteOptions, "headers" | "heartbeat" | "transform">,
  hasCors: boolean,
): ResponseHead {
  const headers = new EndToEndHeaders(fields);
  const isEncoded = headers.get("content-encoding")?.some((value) => !/^(identity)?$/i.test(value.trim())) ?? false;
  const isStream = status === 200 && isEventStream(headers.get("content-type")?.[0]);
  if (hasCors) headers.deleteIf((name) => corsField.test(name));
  if (isStream) {
    // The length and the validators are those of the body before it is changed.
    if (route.transform || route.heartbeat !== undefined)
      for (const name of ["content-length", "etag", "content-md5", "digest"]) headers.delete(name);
    if (!headers.get("x-accel-buffering")) headers.set("x-accel-buffering", "no");
  }
  headers.apply(route.headers.response);
  const result = Object.create(null) as Record<string, string | string[]>;
  const all = headers.fields();
  for (let i = 0; i < all.length; i += 2) {
    const name = spelled(all[i]!);
    const value = all[i + 1]!;
    const before = result[name];
    if (before === undefined) result[name] = value;
    else if (typeof before === "string") result[name] = [before, value];
    else before.push(value);
  }
  return { status, headers: result, isEventStream: isStream, isEncoded };
}

/** `content-type` as `Content-Type`: HTTP/1.1 clients that compare case do exist. */
function spelled(name: string): string {
  let text = spellings.get(name);
  if (text === undefined) {
    text = name.replaceAll(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
    if (spellings.size < maxSpellings) spellings.set(name, text);
  }
  return text;
}

/** Servers use the same few names again and again. */
const spellings = new Map<string, string>();
const maxSpellings = 1_000;
