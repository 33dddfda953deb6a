import type { CountingAdmission } from "../limits/admission.ts";
import type { LocalTickets } from "../access/tickets.ts";
import type { GatewayOptions } from "./options.ts";

/**
 * Applies new options to one part of a process. Only the first part of a list may throw, and then must have changed
 * nothing.
 */
export type Reconfigure = (next: GatewayOptions) => Promise<void> | void;

/** The parts of a process that accept new options while it runs. Streams are changed separately. */
export interface Reconfigurable {
  /** Adds parts, which get new options after those added before them. */
  add(...parts: readonly Reconfigure[]): void;
  /**
   * Applies new options to all parts in order, before it returns. Resolves when the other processes have applied them.
   * @throws what the first part throws, synchronously; nothing has changed then.
   */
  apply(next: GatewayOptions): Promise<void> | void;
}

/** Creates an empty list. */
export function createReconfigurable(): Reconfigurable {
  const list: Reconfigure[] = [];
  return {
    add: (...parts) => void list.push(...parts),
    apply(next) {
      const pending = list.map((part) => part(next)).filter((applied) => applied !== undefined);
      return pending.length === 0 ? undefined : Promise.all(pending).then(() => {});
    },
  };
}

/**
 * The parts of the process that counts clients and issues tickets, whether it serves clients itself or has workers that
 * do.
 */
export function countingParts(
  admission: Pick<CountingAdmission, "change">,
  tickets: Pick<LocalTickets, "change">,
): Reconfigure[] {
  return [({ limits }) => admission.change(limits), ({ access }) => tickets.change(access.tickets)];
}
