import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server } from "node:net";

/** The port that a TCP or HTTP server listens on. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/**
 * A port of 127.0.0.1 that was free a moment ago, for a program that cannot choose one itself. It is below those that
 * systems give to connections, one of which could take it before the program does; also that of Redis Cluster's bus, 10,000
 * above.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 22_768);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}

/** The same URL, with this port of 127.0.0.1 as its host. */
export function throughPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.host = `127.0.0.1:${port}`;
  return changed.href;
}

/** Whether anything accepts connections there. */
export function isReachable(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const end = (reachable: boolean) => (): void => {
      socket.destroy();
      resolve(reachable);
    };
    socket.once("connect", end(true)).once("error", end(false)).setTimeout(2000, end(false));
  });
}
