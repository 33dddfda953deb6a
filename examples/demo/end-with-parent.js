/** Loaded into the gateway, which the demo starts as a child process: it stops when the demo is gone, however that ended. */
process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
