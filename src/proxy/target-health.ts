/** What a process knows of a target's health. It stays with the target when other options of the route change. */
export interface TargetHealth {
  /** Whether the last health checks have passed; true without health checks. */
  isUp: boolean;
  /** Failed requests in a row. */
  failures: number;
  /** When the last ejection ends or has ended, by the balancer's clock. */
  ejectedUntil: number;
  /** How many times `eject.for` the last ejection took. */
  backoff: number;
  /** When slow start begins or has begun, by the balancer's clock. */
  startedAt: number;
}

/** The health of a new target. Without `startedAt` it has its full share of the requests at once. */
export function createTargetHealth(startedAt: number = -Infinity): TargetHealth {
  return { isUp: true, failures: 0, ejectedUntil: -Infinity, backoff: 0, startedAt };
}
