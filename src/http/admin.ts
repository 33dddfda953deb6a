import { SpillwayError } from "../errors.ts";
import { json, type HttpBody, type HttpRequest } from "./message.ts";
import { invalid } from "./problem.ts";
import type { GatewayContext } from "./gateway-context.ts";

/**
 * `DELETE /admin/subscribers?subject=…[&stream=…]`: ends the subscriptions of a subject, which may reconnect while its
 * credential is valid.
 */
export async function endSubscribers(request: HttpRequest, gateway: GatewayContext): Promise<HttpBody> {
  const subject = request.query.get("subject");
  if (!subject) throw invalid("subject", "a subject such as key:web", "nothing");
  const stream = request.query.get("stream") ?? undefined;
  return json({ ended: await gateway.end({ subject, stream }, "revoked") });
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
