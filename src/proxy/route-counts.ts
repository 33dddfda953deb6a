import { SpillwayError } from "../errors.ts";
import type { RouteStatus, StatusClass, TargetCounts, TargetErrorCode } from "../http/gateway-status.ts";
import { problem } from "../http/problem.ts";
import type { Mutable } from "../util/mutable.ts";

/** Counts the requests of a route in this process. Stays when the options of the route change. */
export interface RouteCounts {
  readonly counts: Pick<RouteStatus, "requests" | "active" | "failed" | "responses" | "failures">;
  /** The counts of a target, which the caller increases. */
  target(name: string): Mutable<TargetCounts>;
  /** Counts a request, whose client gets a response, or an error, by `answered` or `failed`. */
  begin(): void;
  /** The client gets a response, which `end` ends. */
  answered(status: number): void;
  /** The client gets an error, or nothing if it has left. */
  failed(error: unknown): void;
  /** The response has ended. */
  end(): void;
  /** The response was cut. */
  cut(code: TargetErrorCode): void;
}

/** Makes counts that are all 0. */
export function createRouteCounts(): RouteCounts {
  const targets = new Map<string, Mutable<TargetCounts>>();
  const responses: Record<StatusClass, number> = { "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, "none": 0 };
  const failures = { "target-failed": 0, "target-timeout": 0, "target-unavailable": 0 };
  const counts = { requests: 0, active: 0, failed: 0, responses, failures };

  function fail(code: TargetErrorCode): void {
    counts.failed++;
    failures[code]++;
  }

  return {
    counts,
    target(name) {
      let found = targets.get(name);
      if (!found) targets.set(name, (found = { requests: 0, failures: 0, retries: 0, ejections: 0 }));
      return found;
    },
    begin() {
      counts.requests++;
      counts.active++;
    },
    answered(status) {
      responses[classOf(status)]++;
    },
    failed(error) {
      counts.active--;
      if (!(error instanceof SpillwayError)) return void responses.none++;
      responses[classOf(problem(error).status)]++;
      if (error.code in failures) fail(error.code as TargetErrorCode);
    },
    end: () => void counts.active--,
    cut: fail,
  };
}

function classOf(status: number): StatusClass {
  const digit = Math.trunc(status / 100);
  return digit >= 1 && digit <= 5 ? (`${digit}xx` as StatusClass) : "none";
}
