const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** How long a signal that comes again counts as the same one, in ms: npm passes on a Ctrl-C that the terminal has sent to everyone. */
const echo = 1_000;

/** Calls back at the first SIGINT or SIGTERM; one that comes later than its echo ends the process at once, as the shell expects it to. */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  let stoppedAt: number | undefined;
  for (const [signal, exitCode] of Object.entries(exitCodes) as [NodeJS.Signals, number][]) {
    process.on(signal, () => {
      if (stoppedAt === undefined) {
        stoppedAt = performance.now();
        stop(signal);
      } else if (performance.now() - stoppedAt > echo) process.exit(exitCode);
    });
  }
}
