import type { Location } from "./location.ts";
import { keysOf } from "./schema.ts";
import type { Server } from "./server.ts";

/** Finds the server that has the log of a stream. */
export interface Servers {
  /** Connects on first use. */
  of(stream: string): Promise<Server>;
  /** The servers that are connected. */
  connected(): Promise<readonly Server[]>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * Connects to where a store is: one server has all logs, or in a Cluster each may be on another one. `connect` does so with the server
 * that has a key.
 */
export async function connectServers(location: Location, connect: (key: string) => Promise<Server>): Promise<Servers> {
  const servers = new Map<string, Promise<Server>>();
  const nameOf = (stream: string): string => (location.kind === "cluster" ? stream : "");

  function of(stream: string): Promise<Server> {
    const name = nameOf(stream);
    const known = servers.get(name);
    if (known) return known;
    const server = connect(keysOf(location.prefix, stream).meta);
    servers.set(name, server);
    server.catch(() => servers.delete(name));
    return server;
  }

  // So that a wrong address is noticed now.
  await of("");
  const connected = async (): Promise<readonly Server[]> => {
    const settled = await Promise.allSettled(servers.values());
    return settled.flatMap((server) => (server.status === "fulfilled" ? [server.value] : []));
  };
  return {
    of,
    connected,
    async close() {
      for (const server of await connected()) server.close();
    },
  };
}
