const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * How long a repeated signal counts as the same one, in ms: npm forwards the Ctrl-C that the terminal has sent to every
 * process.
 */
const duplicateWindow = 1_000;

/** How often the parent process is looked at, in ms. */
const parentInterval = 500;

/**
 * Calls back at the first SIGINT or SIGTERM, and when npx has ended. A second signal after {@link duplicateWindow} exits
 * at once with the shell's exit code.
 */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  let stoppedAt: number | undefined;
  const stopOnce = (signal: NodeJS.Signals): void => {
    if (stoppedAt !== undefined) return;
    stoppedAt = performance.now();
    stop(signal);
  };
  for (const [signal, exitCode] of Object.entries(exitCodes) as [NodeJS.Signals, number][]) {
    process.on(signal, () => {
      if (stoppedAt !== undefined && performance.now() - stoppedAt > duplicateWindow) process.exit(exitCode);
      stopOnce(signal);
    });
  }
  onNpxEnd(() => stopOnce("SIGTERM"));
}

/**
 * Calls back when npx has ended, if it has started this program. npx runs a program in a shell and sends a signal to that
 * shell only, which ends without the program.
 */
function onNpxEnd(listener: () => void): void {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = "" } = process.env;
  if (event !== "npx" || !script.includes("spillway")) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    listener();
  }, parentInterval);
  timer.unref();
}
