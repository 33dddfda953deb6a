import { SpillwayError } from "../errors.ts";
import type { DeliveryCommand, GatewayContext } from "./gateway-context.ts";
import { json, type HttpBody } from "./message.ts";

const commands: readonly DeliveryCommand[] = ["pause", "resume", "retry"];

/** Whether a text is a command. */
export function isDeliveryCommand(text: string): text is DeliveryCommand {
  return (commands as readonly string[]).includes(text);
}

/** `GET /admin/deliveries`: the state of all deliveries. */
export async function listDeliveries(gateway: GatewayContext): Promise<HttpBody> {
  await gateway.refresh?.();
  return json({ deliveries: gateway.deliveries.status() });
}

/** `GET /admin/deliveries/<name>`: the state of a delivery. */
export async function showDelivery(name: string, gateway: GatewayContext): Promise<HttpBody> {
  await gateway.refresh?.();
  const { deliveries } = gateway;
  const all = deliveries.status();
  if (!Object.hasOwn(all, name)) throw unknownDelivery(name);
  return json({ name, ...all[name] });
}

/** `POST /admin/deliveries/<name>/<command>`: carries a command out, and answers with the state after it. */
export async function commandDelivery(
  name: string,
  command: DeliveryCommand,
  gateway: GatewayContext,
): Promise<HttpBody> {
  await gateway.deliveries.command(name, command);
  return showDelivery(name, gateway);
}

/** The error for a name that no delivery has. */
export function unknownDelivery(name: string): SpillwayError {
  const hint = "no delivery has this name: GET /admin/deliveries lists the deliveries";
  return new SpillwayError("delivery-unknown", hint, { field: "delivery", got: name.slice(0, 100) });
}
