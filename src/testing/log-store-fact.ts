import type { Stage } from "./stage.ts";

/** One promise of the log port, and how to see that a store keeps it. */
export interface LogStoreFact {
  readonly title: string;
  /** Absent: holds for every store. `true`: for one that keeps its logs when closed; `false`: for one that does not. */
  readonly persistent?: boolean;
  /** Holds for stores that several processes may have open at once. */
  readonly shared?: true;
  /** Holds for stores at places that can lose answers. */
  readonly losesAnswers?: true;
  check(stage: Stage): Promise<void>;
}
