import { SpillwayError } from "../errors.ts";
import type { OwnSource } from "../gateway/source.ts";
import type { Appended } from "../log/log.ts";
import type { WorkerProcess } from "./fork.ts";
import { toErrorText, type ToPrimary } from "./messages.ts";

type Call = Extract<ToPrimary, { kind: "append" | "demand" }>;

/** Does for the workers what only the primary can. */
export interface Desk {
  take(worker: WorkerProcess, call: Call): void;
  /** Takes back what the worker held. */
  ended(worker: WorkerProcess): void;
}

/** Makes the desk before the sources. */
export function createDesk(sources: ReadonlyMap<string, OwnSource>): Desk {
  /** The ways to give back what each worker holds, by stream. */
  const held = new Map<WorkerProcess, Map<string, () => void>>();

  function demand(worker: WorkerProcess, stream: string, wanted: boolean): void {
    const releases = held.get(worker) ?? new Map<string, () => void>();
    held.set(worker, releases);
    const release = releases.get(stream);
    if (wanted && !release) releases.set(stream, sources.get(stream)!.hold());
    if (wanted) return;
    releases.delete(stream);
    release?.();
  }

  return {
    take(worker, call) {
      if (call.kind === "demand") return demand(worker, call.stream, call.wanted);
      const { id } = call;
      append(call).then(
        (appended) => worker.channel.send({ kind: "appended", id, appended }),
        (error: unknown) => worker.channel.send({ kind: "refused", id, error: toErrorText(error) }),
      );
    },
    ended(worker) {
      for (const release of held.get(worker)?.values() ?? []) release();
      held.delete(worker);
    },
  };

  async function append({ stream, events, options }: Extract<Call, { kind: "append" }>): Promise<Appended> {
    const source = sources.get(stream);
    if (!source) throw new SpillwayError("stream-unknown");
    return source.append(events, options);
  }
}
