import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { engines } from "./shared-engines.ts";

/** One of the stores that a gateway may have. */
export interface StoreKind {
  readonly name: string;
  /** Whether its events outlive the process. */
  readonly isPersistent: boolean;
  /** The URL of a new store, which is removed after the test. */
  place(): Promise<string>;
}

/** All stores whose engines are available. */
export const allStores: readonly StoreKind[] = [
  { name: "memory", isPersistent: false, place: async () => "memory:" },
  {
    name: "sqlite",
    isPersistent: true,
    async place() {
      const folder = await mkdtemp(join(tmpdir(), "spillway-store-"));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      return `sqlite:${folder}/log.db`;
    },
  },
  ...engines.map((engine) => ({
    name: engine.name,
    isPersistent: true,
    async place() {
      const { url, remove } = engine.openPlace();
      onTestFinished(remove);
      return url;
    },
  })),
];
