import type { LazyGateway } from "../../config/create-lazy-gateway.ts";

const signals = ["SIGINT", "SIGTERM"] as const;

/**
 * Drains and closes a gateway when the process is told to stop. Next.js waits for open responses before it exits, and a
 * subscription does not end by itself.
 *
 * @param name the gateway's name in this process, for which it is done once
 */
export function closeAtSignals(gateway: LazyGateway, name = "gateway"): void {
  const holder = globalThis as { [key: symbol]: Set<string> | undefined };
  const names = (holder[Symbol.for("spillway.next.signals")] ??= new Set());
  if (names.has(name)) return;
  names.add(name);
  for (const signal of signals) process.once(signal, () => void close(gateway, signal));
}

async function close(gateway: LazyGateway, signal: NodeJS.Signals): Promise<void> {
  await gateway.drain();
  await gateway.close();
  // Without a listener of Next.js, as in a server of the application's own, ours has replaced Node's default.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}
