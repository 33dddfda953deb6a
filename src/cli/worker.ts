/** The program of one worker of `spillway serve --workers`: started by the primary, never by a person. */
import { Socket } from "node:net";
import { openReaders } from "../config/open-store.ts";
import { withFields } from "../util/logger.ts";
import { channelDescriptor } from "../workers/ipc/channel.ts";
import { runWorker } from "../workers/worker/worker.ts";
import { createLogger, type LogLevel } from "./logger.ts";

// Ctrl-C, a closed terminal and systemd signal every process of the group; the primary alone obeys, and tells the workers.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});

let flush = async (): Promise<void> => {};

runWorker(new Socket({ fd: channelDescriptor }), {
  openReaders,
  createLogger(level, worker) {
    const logger = createLogger(level as LogLevel);
    flush = () => logger.flush();
    return withFields(logger, { worker });
  },
  exit: (code) => void flush().then(() => process.exit(code)),
});
