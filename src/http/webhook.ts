import { nothing } from "../access/identity.ts";
import { SpillwayError } from "../errors.ts";
import type { Webhook } from "../webhooks/webhook.ts";
import { withBody } from "./body.ts";
import type { GatewayContext, ServedStream } from "./gateway-context.ts";
import { json, type HttpBody, type HttpRequest } from "./message.ts";
import { toEvent } from "./publish-body.ts";

/** A name that no subject can have. All senders share it, since a retry may come from another address. */
const owner = "\0webhook";

/**
 * `POST /webhooks/<stream>`: appends the event of a webhook whose signature is valid, and responds once it is durable. A
 * repeated delivery appends nothing and gets the same response.
 */
export async function receiveWebhook(
  request: HttpRequest,
  stream: ServedStream,
  { signature, read }: Webhook,
  gateway: GatewayContext,
): Promise<HttpBody> {
  const { policy, admission } = gateway;
  if (gateway.closing) throw new SpillwayError("shutting-down");
  if (!signature) refusePages(request);
  const header = (name: string): string | undefined => request.header(name);
  const presented = signature?.present(header);
  const subject = `webhook:${stream.name}`;
  const address = policy.addressOf(request);
  const caller = { identity: { subject, grant: nothing, recognized: { by: "anonymous" } }, address } as const;

  const accept = async (body: Buffer): Promise<HttpBody> => {
    if (presented) signature!.verify(presented, body);
    const delivery = read(header, body, presented?.timestamp);
    if ("challenge" in delivery) return json({ challenge: delivery.challenge });
    const event = toEvent(delivery.event, "webhook", stream.ids);
    await admission.publish({ subject, address });
    const idempotency = delivery.key === undefined ? undefined : { owner, key: delivery.key, fingerprint: "webhook" };
    const { replayed } = await stream.append([event], { idempotency });
    return { status: 200, headers: replayed ? { "Idempotency-Replayed": "true" } : {}, body: "" };
  };
  const form = presented ? "exact" : "equivalent";
  const receive = (): Promise<HttpBody> => withBody(request, caller, gateway, policy.limits.body, accept, form);
  return presented ? policy.access.guardSignature(request, subject, receive) : receive();
}

/** Nothing but the address protects unsigned webhooks, and a page of any site can send them from a browser there. */
function refusePages(request: HttpRequest): void {
  const origin = request.header("origin");
  if (origin === undefined) return;
  const details = { field: "Origin", expected: "absent", got: origin.slice(0, 100) };
  throw new SpillwayError("origin-denied", "a page must not send webhooks without a signature", details);
}
