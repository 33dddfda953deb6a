const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** Calls back at the first SIGINT or SIGTERM; a second one ends the process at once, as the shell expects it to. */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  let stopping = false;
  for (const [signal, exitCode] of Object.entries(exitCodes) as [NodeJS.Signals, number][]) {
    process.on(signal, () => {
      if (stopping) process.exit(exitCode);
      stopping = true;
      stop(signal);
    });
  }
}
