import { SpillwayError } from "../errors.ts";
import { withBody } from "./body.ts";
import { json, type HttpBody, type HttpRequest } from "./message.ts";
import { invalid, shown } from "./problem.ts";
import { readEvents } from "./publish-body.ts";
import type { Caller, GatewayContext } from "./gateway-context.ts";

/**
 * `DELETE /admin/subscribers?subject=…[&stream=…]`: ends the subscriptions of a subject, which may reconnect while its
 * credential is valid.
 */
export async function endSubscribers(request: HttpRequest, gateway: GatewayContext): Promise<HttpBody> {
  const subject = request.query.get("subject");
  if (!subject) throw invalid("subject", "a subject such as key:web", "nothing");
  const stream = request.query.get("stream") ?? undefined;
  return json({ ended: await gateway.clients.end({ subject, stream }, "revoked") });
}

/** `DELETE /admin/subscribers/<client>`: ends one subscription. */
export async function endSubscriber(client: string, gateway: GatewayContext): Promise<HttpBody> {
  const ended = await gateway.clients.end({ client }, "revoked");
  if (ended === 0) throw unknownClient(client);
  return json({ ended });
}

const defaultLimit = 100;
const maxLimit = 1000;

/** `GET /admin/subscribers[?stream=…][&subject=…][&limit=…][&after=…]`: a page of the connected clients. */
export async function listSubscribers({ query }: HttpRequest, gateway: GatewayContext): Promise<HttpBody> {
  const limit = query.get("limit") ?? String(defaultLimit);
  if (!/^[1-9]\d{0,8}$/.test(limit)) throw invalid("limit", "a whole number from 1", limit);
  const page = await gateway.clients.list({
    stream: query.get("stream") ?? undefined,
    subject: query.get("subject") ?? undefined,
    after: query.get("after") ?? undefined,
    limit: Math.min(Number(limit), maxLimit),
  });
  return json({ subscribers: page.clients, next: page.next });
}

/** `POST /admin/subscribers/<client>/events`: sends an event to one connection, past its filter and the log. */
export async function sendToSubscriber(
  client: string,
  request: HttpRequest,
  caller: Caller,
  gateway: GatewayContext,
): Promise<HttpBody> {
  return withBody(request, caller, gateway, gateway.policy.limits.body, async (bytes) => {
    const [found] = readEvents(request.header("content-type"), bytes.toString(), { limit: 1, ids: "gateway" });
    const { event, data, channel, upstreamId } = found!;
    const extra = channel !== undefined ? "channel" : upstreamId !== undefined ? "id" : undefined;
    if (extra) throw invalid(`body.${extra}`, "absent: the event is not part of the stream", extra);
    const stream = await gateway.clients.streamOf(client);
    if (stream !== null) await gateway.streams.get(stream)?.assertValid(found!);
    const outcome = await gateway.clients.send({ client, event, data });
    if (outcome !== "unknown") return json({ delivered: outcome === "delivered" });
    throw unknownClient(client);
  });
}

function unknownClient(client: string): SpillwayError {
  const hint = "no client with this id is connected: GET /admin/subscribers lists the clients";
  return new SpillwayError("client-unknown", hint, { field: "client", got: shown(client) });
}

/** `POST /admin/reload`: reads the configuration again and applies it, or refuses it and changes nothing. */
export async function reload(gateway: GatewayContext): Promise<HttpBody> {
  if (!gateway.reload) throw new SpillwayError("not-found", "this gateway has no configuration to reload");
  try {
    await gateway.reload();
  } catch (error) {
    throw asRefusal(error);
  }
  return json({ status: "ok" });
}

/** Reports every error of reading the configuration as `config-invalid`. */
function asRefusal(error: unknown): unknown {
  if (!(error instanceof SpillwayError) || !["config-not-found", "access-required"].includes(error.code)) return error;
  const { message, field, expected, got } = error;
  return new SpillwayError("config-invalid", message, { field, expected, got });
}
