const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * How long a repeated signal counts as the same one, in ms: npm forwards the Ctrl-C that the terminal has sent to every
 * process.
 */
const duplicateWindow = 1_000;

/**
 * Calls back at the first SIGINT or SIGTERM. A second one after {@link duplicateWindow} exits at once with the shell's
 * exit code.
 */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  let stoppedAt: number | undefined;
  for (const [signal, exitCode] of Object.entries(exitCodes) as [NodeJS.Signals, number][]) {
    process.on(signal, () => {
      if (stoppedAt === undefined) {
        stoppedAt = performance.now();
        stop(signal);
      } else if (performance.now() - stoppedAt > duplicateWindow) process.exit(exitCode);
    });
  }
}
