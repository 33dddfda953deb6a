import type { Logger } from "../util/logger.ts";
import { monotonicMs } from "../util/durations.ts";
import { startTimeout } from "../util/timeout.ts";
import type { HealthOptions } from "./options.ts";
import type { Target } from "./target.ts";

export interface HealthCheckDependencies {
  readonly logger: Logger;
  /** The balancer's clock. */
  now?(): number;
  /** From 0 to 1, as `Math.random`. */
  random?(): number;
}

/** Regular requests to a target that set `isUp` of its health. */
export interface HealthChecks {
  /** Ends the checks, also the one under way. Idempotent. */
  stop(): void;
}

/** The largest part of `every` by which a check is early or late, so that processes do not check at the same time. */
const jitter = 0.1;

/**
 * Checks a target at once and then regularly, never twice at a time. The target is up until the first check, which
 * alone decides; after that it takes `up` or `down` equal results in a row.
 */
export function startHealthChecks(
  target: Pick<Target, "name" | "health" | "probe">,
  { path, every, timeout, up, down }: HealthOptions,
  { logger, now = monotonicMs, random = Math.random }: HealthCheckDependencies,
): HealthChecks {
  const { name, health } = target;
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  /** Results in a row that differ from the state. */
  let contrary = 0;
  let isFirst = true;

  /** Resolves to the reason if the target is not healthy. */
  async function check(): Promise<string | undefined> {
    const late = startTimeout(timeout, stopping.signal);
    try {
      const status = await target.probe(path, late.signal);
      return status >= 200 && status < 400 ? undefined : `status ${status}`;
    } catch (error) {
      if (late.signal.aborted) return `no answer within ${timeout} ms`;
      return (error as { readonly code?: string }).code ?? "no answer";
    } finally {
      late.clear();
    }
  }

  function take(reason: string | undefined): void {
    const passed = reason === undefined;
    const isDecisive = isFirst;
    isFirst = false;
    if (passed === health.isUp) return void (contrary = 0);
    contrary++;
    if (contrary < (passed ? up : down) && !isDecisive) return;
    contrary = 0;
    health.isUp = passed;
    if (passed) {
      health.startedAt = now();
      health.failures = 0;
      logger.info({ target: name }, "target up");
    } else logger.warn({ target: name, reason }, "target down");
  }

  async function run(): Promise<void> {
    const startedAt = now();
    const reason = await check();
    if (stopping.signal.aborted) return;
    take(reason);
    const interval = every * (1 - jitter + 2 * jitter * random());
    timer = setTimeout(() => void run(), Math.max(interval - (now() - startedAt), 0)).unref();
  }

  void run();
  return {
    stop() {
      clearTimeout(timer);
      stopping.abort();
    },
  };
}
