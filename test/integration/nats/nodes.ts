import { onTestFinished } from "vitest";
import { createNatsStore, type NatsStoreOptions } from "../../../src/log/nats/index.ts";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { openNodeOf, type Node } from "../../support/store-nodes.ts";

/** Starts a server that is closed with the test. */
export async function serverForTest(...settings: readonly string[]): Promise<NatsServer> {
  const server = await startNats(...settings);
  onTestFinished(() => server.remove());
  return server;
}

/** Opens a node on it. */
export function openNode(url: string, node = "a", options: Partial<NatsStoreOptions> = {}): Promise<Node> {
  return openNodeOf((onReset) => createNatsStore({ url, node, onReset, ...options }));
}
