import { destroy, type RunStatement } from "./connections.ts";
import type { PgDriver, PgSettings } from "./driver.ts";

/** A connection that listens to the notifications of a schema. */
export interface Listener {
  /** Connects, and listens from then on. It throws as the driver does. */
  open(): Promise<void>;
  /** Runs a statement; one at a time. It throws as the driver does. */
  readonly run: RunStatement;
  /** Cuts the connection. Idempotent. */
  readonly close: () => void;
}

/**
 * Makes a connection that is not open yet.
 * @param hear gets the payload of each notification
 * @param onLost called when the connection is lost: the next statement fails
 */
export function createListener(
  driver: PgDriver,
  settings: PgSettings,
  schema: string,
  hear: (payload: string | undefined) => void,
  onLost: () => void,
): Listener {
  const client = new driver.Client(settings);
  let lost = false;
  client.on("error", onLost);
  client.on("end", () => {
    lost = true;
    onLost();
  });
  client.on("notification", ({ payload }) => hear(payload));

  return {
    async open() {
      await client.connect();
      await client.query({ text: `LISTEN "${schema}"` });
    },
    async run(statement) {
      if (lost) throw new Error("the connection was lost");
      return (await client.query(statement)).rows;
    },
    close: () => destroy(client),
  };
}
