/** The program of one worker of `spillway serve --workers`. Only the primary starts it. */
import { Socket } from "node:net";
import { openMemoryStore, openReaders } from "../config/open-store.ts";
import { withFields } from "../util/logger.ts";
import { channelDescriptor } from "../workers/ipc/channel.ts";
import { runWorker } from "../workers/worker/worker.ts";
import { createLogger, type LogLevel } from "./logger.ts";

// Ctrl-C, a closed terminal and systemd signal every process of the group. Only the primary handles them; it stops the
// workers itself.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});

let flush = async (): Promise<void> => {};

runWorker(new Socket({ fd: channelDescriptor }), {
  openReaders,
  openSharedStore: (logger) => openMemoryStore({ logger }),
  createLogger(level, worker) {
    const logger = createLogger(level as LogLevel);
    flush = () => logger.flush();
    return withFields(logger, { worker });
  },
  exit: (code) => void flush().then(() => process.exit(code)),
});
