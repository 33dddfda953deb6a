import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import type { Door, DoorKind, DoorOptions } from "./doors.ts";
import { startWorkers } from "./workers.ts";

/** The stores a gateway is tested on. */
export const stores = ["memory", "sqlite"] as const;

/** The operations on a gateway from outside. */
export interface RemoteGateway extends Pick<Gateway, "publish" | "close"> {
  status(): object | Promise<object>;
}

export interface Opened<Kind extends RemoteGateway = Gateway> {
  readonly gateway: Kind;
  readonly door: Door;
  close(): Promise<void>;
}

/** Opens a gateway on a separate store, with every right granted, behind a door. */
export async function openGateway(
  store: (typeof stores)[number],
  kind: DoorKind,
  config: Omit<GatewayConfig, "store">,
  /** Returns the changes to apply at a reload. */
  change?: () => Partial<GatewayConfig>,
  options?: DoorOptions,
): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-"));
  const whole: GatewayConfig = {
    listen: "127.0.0.1:0",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    // The `Host` that raw clients send.
    hosts: ["x"],
    ...kind.config?.(),
    ...config,
    store: store === "memory" ? "memory:" : `sqlite:${folder}/log.db`,
  };
  const gateway = await createGateway(whole, change && { readConfig: () => ({ ...whole, ...change() }) });
  const door = await kind.open(gateway, options);
  return {
    gateway,
    door,
    async close() {
      await gateway.close();
      await door.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Opens a gateway whose clients are served by two worker processes. */
export async function openWorkers(config: Omit<GatewayConfig, "store">): Promise<Opened<RemoteGateway>> {
  const server = await startWorkers(2, config);
  const request: Door["request"] = (path, { headers, ...init } = {}) =>
    fetch(`${server.url}${path}`, {
      ...init,
      // One connection per request, so that both workers are used.
      headers: { accept: "text/event-stream", connection: "close", ...headers },
    });
  return {
    gateway: {
      async publish(stream, events) {
        const response = await server.publish(stream, events);
        return ((await response.json()) as { ids: string[] }).ids;
      },
      status: () => server.status(),
      close: async () => void (await server.program.kill("SIGTERM")),
    },
    door: { name: "two workers", listens: true, request, close: async () => {} },
    close: () => server.close(),
  };
}
