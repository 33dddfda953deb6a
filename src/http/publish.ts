import { createHash } from "node:crypto";
import { allows, type Grant, type Identity } from "../access/identity.ts";
import { SpillwayError } from "../errors.ts";
import { ownIdOf } from "../hub/format.ts";
import { formatCursor } from "../log/cursor.ts";
import type { Idempotency, NewEvent } from "../log/log.ts";
import { addressKey } from "../util/ip-address.ts";
import { withBody } from "./body.ts";
import { json, type HttpBody, type HttpRequest } from "./message.ts";
import { invalid, shown } from "./problem.ts";
import type { EventReader } from "./publish-body.ts";
import type { Caller, GatewayContext, Published, ServedStream } from "./gateway-context.ts";

/**
 * `POST /streams/<name>/events` and `POST /publish`: appends the events that `read` finds in the body, all or none, and
 * responds with their ids once they are durable. With an `Idempotency-Key`, a repeated request appends nothing and gets
 * the same response.
 */
export function publish(
  request: HttpRequest,
  stream: ServedStream,
  caller: Caller,
  gateway: GatewayContext,
  read: EventReader,
): Promise<HttpBody> {
  return whileHeld(stream, () => publishHeld(request, stream, caller, gateway, read));
}

/** Does something with a stream that must stay open meanwhile. Other streams are always open. */
export async function whileHeld<Result>(stream: ServedStream, run: () => Promise<Result>): Promise<Result> {
  const release = stream.pattern === undefined ? undefined : stream.hold();
  try {
    return await run();
  } finally {
    release?.();
  }
}

async function publishHeld(
  request: HttpRequest,
  stream: ServedStream,
  caller: Caller,
  gateway: GatewayContext,
  read: EventReader,
): Promise<HttpBody> {
  const { identity, address } = caller;
  await gateway.admission.publish({ subject: identity.subject, address });
  const key = request.header("idempotency-key");
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalid("Idempotency-Key", "1 to 255 visible ASCII characters", key);
  }
  const contentType = request.header("content-type");
  const { limits } = gateway.policy;
  return withBody(request, caller, gateway, limits.body, async (bytes) => {
    const body = bytes.toString();
    const events = read(contentType, body, { limit: limits.events, ids: stream.ids });
    assertGranted(events, identity.grant);
    const idempotency =
      key === undefined
        ? undefined
        : { owner: ownerOf(identity, address), key, fingerprint: fingerprint(contentType, body) };
    const published = await stream.append(events, { idempotency, strict: true });
    return json(
      { ids: idsOf(stream, events, published) },
      published.replayed ? { "Idempotency-Replayed": "true" } : {},
    );
  });
}

/** @throws {SpillwayError} `access-denied` with the first event whose channel or type is not granted. */
function assertGranted(events: readonly NewEvent[], grant: Grant): void {
  for (const [index, { channel, event }] of events.entries()) {
    const field = !allows(grant.channels, channel) ? "channel" : !allows(grant.events, event) ? "event" : undefined;
    if (field === undefined) continue;
    const details = { field: `[${index}].${field}`, got: shown((field === "channel" ? channel : event) ?? "none") };
    throw new SpillwayError("access-denied", `publishing to this ${field} is not granted`, details);
  }
}

/** The idempotency key of a call of `gateway.publish`. Its owner is a name that no subject can have. */
export function libraryKey(key: string, events: readonly NewEvent[]): Idempotency {
  return {
    owner: "\0library",
    key,
    fingerprint: createHash("sha256").update(JSON.stringify(events)).digest("base64url"),
  };
}

/** The ids that published events have for clients, in order. */
export function idsOf(
  { log, ids }: ServedStream,
  events: readonly NewEvent[],
  { first, last, upstreamIds = events.map(({ upstreamId }) => upstreamId) }: Published,
): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const upstreamId = upstreamIds[i];
    return ownIdOf({ upstreamId, published: true }, ids) ?? formatCursor(log.epoch, first + i);
  });
}

/** The owner of an idempotency key. A caller without a credential is identified by its address. */
function ownerOf({ subject }: Identity, address: string | undefined): string {
  return subject === "anonymous" && address !== undefined ? `anonymous ${addressKey(address)}` : subject;
}

function fingerprint(contentType: string | undefined, body: string): string {
  return createHash("sha256").update(`${contentType}\n${body}`).digest("base64url");
}
