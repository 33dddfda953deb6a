import { idempotencyAge, keyName, replayAppend, type RememberedAppend } from "../idempotency.ts";
import type { Batch } from "../engine/driver.ts";
import type { Appended, Idempotency } from "../log.ts";
import type { SqlRow } from "./driver.ts";

/** The keys of the batches of one transaction. */
export interface IdempotencyKeys {
  /**
   * The answer to a batch whose key was used at most 24 h before; `undefined` for a new key, or none.
   * @throws {SpillwayError} `idempotency-conflict`.
   */
  replay(batch: Batch): Appended | undefined;
  /** Takes note of the key of a batch that is appended, if it has one. */
  remember(batch: Batch, appended: Appended): void;
  /** The keys to store, by their digests. */
  readonly added: ReadonlyMap<string, RememberedAppend>;
}

/** The digests of the keys of a group, to look them up. */
export function keyDigests(group: readonly Batch[]): Buffer[] {
  return group.flatMap(({ options: { idempotency } }) => (idempotency ? [digestOf(idempotency)] : []));
}

function digestOf(idempotency: Idempotency): Buffer {
  return Buffer.from(keyName(idempotency), "hex");
}

/** Takes the rows that were found to some digests. */
export function createIdempotencyKeys(rows: readonly SqlRow[]): IdempotencyKeys {
  const stored = new Map(rows.map((row) => [hex(row["digest"] as Uint8Array), toRemembered(row)]));
  const added = new Map<string, RememberedAppend>();

  return {
    replay({ options: { idempotency }, clock }) {
      if (!idempotency) return undefined;
      const digest = hex(digestOf(idempotency));
      const remembered = added.get(digest) ?? stored.get(digest);
      if (!remembered || remembered.time <= clock - idempotencyAge) return undefined;
      return replayAppend(remembered, idempotency.fingerprint);
    },
    remember({ options: { idempotency }, clock }, { first, last }) {
      if (!idempotency) return;
      added.set(hex(digestOf(idempotency)), { fingerprint: idempotency.fingerprint, first, last, time: clock });
    },
    added,
  };
}

function toRemembered(row: SqlRow): RememberedAppend {
  return {
    fingerprint: String(row["fingerprint"]),
    first: Number(row["first"]),
    last: Number(row["last"]),
    time: Number(row["time"]),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
