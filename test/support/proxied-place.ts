import type { LogStore } from "../../src/log/log.ts";
import type { LogStorePlace } from "../../src/testing/index.ts";
import { throughPort } from "./ports.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

/** A place on a server of this machine, for stores whose connections lose answers on request. */
export async function openProxiedPlace(
  place: { readonly url: string; remove(): Promise<void> },
  open: (url: string, now: () => number, node: string) => Promise<LogStore>,
): Promise<LogStorePlace> {
  const proxy = await startTcpProxy(Number(new URL(place.url).port));
  return {
    open: (now, node) => open(throughPort(place.url, proxy.port), now, node),
    loseAnswers() {
      proxy.loseAnswers(true);
      return () => proxy.loseAnswers(false);
    },
    async remove() {
      await proxy.close();
      await place.remove();
    },
  };
}
