import type { Logger } from "../../util/logger.ts";
import type { Connection } from "./connection.ts";

/** Says aloud where the server answers before what it was told is on the disk, or takes only small events. */
export async function checkDurability(connection: Connection, place: string, logger: Logger): Promise<void> {
  const [row] = await connection.rows(
    "SELECT @@innodb_flush_log_at_trx_commit AS flushed, @@log_bin AS logged, @@sync_binlog AS synced",
  );
  const { flushed, logged, synced } = row ?? {};
  if (Number(flushed) !== 1) {
    const message = "a crash of the server may lose the last second: innodb_flush_log_at_trx_commit is not 1";
    logger.warn({ place, innodb_flush_log_at_trx_commit: flushed }, message);
  }
  if (Number(logged) === 1 && Number(synced) !== 1) {
    logger.warn({ place, sync_binlog: synced }, "a crash of the server may lose the last events: sync_binlog is not 1");
  }
  if (connection.maxPacket < smallPacket) {
    const message = "max_allowed_packet is small: an event takes up to twice its size in a statement";
    logger.warn({ place, max_allowed_packet: connection.maxPacket }, message);
  }
}

/** What is needed for events of 1 MiB, with room to spare. */
const smallPacket = 4 * 1024 * 1024;
