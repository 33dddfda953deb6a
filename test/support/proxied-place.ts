import type { LogStore } from "../../src/log/log.ts";
import type { LogStorePlace } from "../../src/testing/index.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

/** A place for stores whose way to the server on `port` of this machine loses answers on request. */
export async function openProxiedPlace(
  port: number,
  open: (port: number, now: () => number, node: string) => Promise<LogStore>,
  remove: () => Promise<void>,
): Promise<LogStorePlace> {
  const proxy = await startTcpProxy(port);
  return {
    open: (now, node) => open(proxy.port, now, node),
    loseAnswers() {
      proxy.loseAnswers(true);
      return () => proxy.loseAnswers(false);
    },
    async remove() {
      await proxy.close();
      await remove();
    },
  };
}
