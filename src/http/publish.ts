import { createHash } from "node:crypto";
import { formatCursor } from "../log/cursor.ts";
import type { NewEvent } from "../log/log.ts";
import { json, type HttpBody, type HttpRequest } from "./message.ts";
import { invalid } from "./problem.ts";
import { readEvents } from "./publish-body.ts";
import type { ServedStream } from "./served.ts";

/**
 * `POST /streams/<name>/events`: appends one event or many, whole or not at all, and answers with their ids once they are durable.
 * With an `Idempotency-Key` the same request may be sent again and is answered the same.
 */
export async function publish(request: HttpRequest, stream: ServedStream, bodyLimit: number): Promise<HttpBody> {
  const key = request.header("idempotency-key");
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalid("Idempotency-Key", "1 to 255 visible ASCII characters", key);
  }
  const contentType = request.header("content-type");
  const body = await request.body(bodyLimit);
  const events = readEvents(contentType, body);
  const idempotency = key === undefined ? undefined : { key, fingerprint: fingerprint(contentType, body) };
  const { first, last, replayed } = await stream.append(events, { idempotency });
  const ids = idsOf(stream, events, first, last);
  return json({ ids }, replayed ? { "Idempotency-Replayed": "true" } : {});
}

/** The ids under which published events go out, in order. */
export function idsOf({ log, ids }: ServedStream, events: readonly NewEvent[], first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const upstreamId = ids === "upstream" ? events[i]?.upstreamId : undefined;
    return upstreamId ?? formatCursor(log.epoch, first + i);
  });
}

function fingerprint(contentType: string | undefined, body: string): string {
  return createHash("sha256").update(`${contentType}\n${body}`).digest("base64url");
}
