/** The events of the gateway that concern a reader's state: they stand in the place of events of the stream. */

/** The subscriber has missed events between the last one that it received and the next one. */
export interface Gap {
  /**
   * - `trimmed`: retention removed them
   * - `unknown`: the requested id is unknown
   * - `upstream`: the source could not resume after a lost connection
   */
  readonly reason: "trimmed" | "unknown" | "upstream";
  /** The position as requested; `null` if none was. */
  readonly requested: string | null;
  /** The cursor of the first event in the log; `null` if the gap is in the stream itself. */
  readonly earliest: string | null;
  /** How many events of the stream are missing, regardless of the filter; `null` if unknown. */
  readonly lost: number | null;
}

/**
 * The requested id belongs to another log, or lies beyond this one's head: what the client has received is no longer
 * valid.
 */
export interface Reset {
  readonly epoch: string;
  readonly requested: string;
  /** The cursor of the first event in the log. */
  readonly earliest: string;
}
