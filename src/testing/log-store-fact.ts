import type { Stage } from "./stage.ts";

/** A fact that the log port requires of a store, and its test. */
export interface LogStoreFact {
  readonly title: string;
  /** `true`: only for stores that keep their logs when closed; `false`: only for others. Default: for every store. */
  readonly persistent?: boolean;
  /** Only for stores that several processes may have open at once. */
  readonly shared?: true;
  /** Only for stores whose places can lose answers. */
  readonly losesAnswers?: true;
  /** Only for stores that remove logs. */
  readonly removes?: true;
  check(stage: Stage): Promise<void>;
}
