import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import { onTestFinished } from "vitest";

/** How long rooms are kept that nobody uses, in ms. */
export const idle = 1_000;

/** A configuration with a stream on demand for each room. */
export function config(store: string, keep = idle): GatewayConfig {
  return {
    store,
    access: { anonymous: ["subscribe", "publish", "admin"] },
    limits: { connectRate: "100000/1s" },
    streams: { "room-*": { onDemand: { idle: `${keep}ms`, rate: "100000/1s" } } },
  };
}

/** Opens a node in this process, and closes it after the test. */
export async function openNode(store: string, keep?: number): Promise<Gateway> {
  const gateway = await createGateway(
    { listen: "127.0.0.1:0", drain: "1s", ...config(store, keep) },
    { logger: false },
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

/** Makes one node, or two if nodes can share the store. */
export async function makeNodes<Node>(store: string, make: (store: string) => Promise<Node>): Promise<Node[]> {
  const first = await make(store);
  return /^(memory|sqlite):/.test(store) ? [first] : [first, await make(store)];
}
