import type { History, HistoryNumber, StreamHistory } from "../http/diagnostics.ts";

/** The numbers of a stream at a time. */
export type HistorySample = Readonly<Record<HistoryNumber, number>>;

/** Records samples of the streams, while somebody asks for them. */
export interface HistoryRecorder {
  /** The samples after a time, in ms since 1970. The first call takes the first sample. */
  read(after: number): History;
  /** Stops, and forgets the samples. */
  stop(): void;
}

const interval = 5000;
/** How long samples are kept, and how long sampling goes on after the last call, in ms. */
const kept = 600_000;
const mostSamples = kept / interval;
/** Maximum number of streams; others have no history. A sample of a stream takes 32 bytes. */
const mostStreams = 1000;

const numbers: readonly HistoryNumber[] = ["stored", "delivered", "subscribers", "lag"];

interface Sample {
  readonly time: number;
  readonly names: readonly string[];
  /** The numbers of each name in turn. */
  readonly values: Float64Array;
}

/** Creates a recorder. It does nothing before its first call. */
export function createHistory(
  streams: () => Iterable<readonly [name: string, sample: HistorySample]>,
): HistoryRecorder {
  let samples: Sample[] = [];
  let timer: NodeJS.Timeout | undefined;
  let askedAt = 0;

  function take(): void {
    const found = [...streams()].slice(0, mostStreams);
    const values = Float64Array.from(found.flatMap(([, sample]) => numbers.map((name) => sample[name])));
    samples.push({
      time: Date.now(),
      names: shareNames(
        found.map(([name]) => name),
        samples.at(-1),
      ),
      values,
    });
    if (samples.length > mostSamples) samples.shift();
  }

  function tick(): void {
    if (performance.now() - askedAt > kept) stop();
    else take();
  }

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
    samples = [];
  }

  return {
    read(after) {
      askedAt = performance.now();
      if (!timer) {
        timer = setInterval(tick, interval).unref();
        take();
      }
      return describe(samples.filter(({ time }) => time > after));
    },
    stop,
  };
}

/** The same list for all samples with the same streams. */
function shareNames(names: readonly string[], last: Sample | undefined): readonly string[] {
  const isSame = last?.names.length === names.length && names.every((name, index) => name === last.names[index]);
  return isSame ? last.names : names;
}

function describe(samples: readonly Sample[]): History {
  const names = new Set(samples.flatMap((sample) => sample.names));
  return {
    interval,
    times: samples.map(({ time }) => time),
    streams: Object.fromEntries(Array.from(names, (name) => [name, historyOf(name, samples)])),
  };
}

function historyOf(name: string, samples: readonly Sample[]): StreamHistory {
  const places = samples.map(({ names }) => names.indexOf(name));
  const list = (offset: number): (number | null)[] =>
    samples.map(({ values }, index) => values[places[index]! * numbers.length + offset] ?? null);
  return Object.fromEntries(numbers.map((each, offset) => [each, list(offset)])) as unknown as StreamHistory;
}
