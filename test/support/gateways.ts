import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGateway, type Gateway, type GatewayConfig } from "spillway";
import type { Door, doors } from "./doors.ts";

/** The stores a gateway is tested on. */
export const stores = ["memory", "sqlite"] as const;

export interface Opened {
  readonly gateway: Gateway;
  readonly door: Door;
  close(): Promise<void>;
}

/** Opens a gateway on a store of its own, with every right granted, behind a door. */
export async function openGateway(
  store: (typeof stores)[number],
  { open }: (typeof doors)[number],
  config: Omit<GatewayConfig, "store">,
): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-"));
  const gateway = await createGateway({
    listen: "127.0.0.1:0",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    ...config,
    store: store === "memory" ? "memory:" : `sqlite:${folder}/log.db`,
  });
  const door = await open(gateway);
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
