/** Agreement between the processes (nodes) that share a store. All times are measured by the store's own clock. */
export interface Coordination {
  /**
   * Takes the right to ingest a stream for `ttl` ms; `undefined` while another node has it.
   * @throws {SpillwayError} `store-unavailable`
   */
  acquire(stream: string, ttl: number): Promise<Lease | undefined>;
  /**
   * The node that has it now; `undefined` if none has.
   * @throws {SpillwayError} `store-unavailable`
   */
  holder(stream: string): Promise<LeaseHolder | undefined>;
  /**
   * Declares for `ttl` ms that this node needs the stream's events; 0 takes it back.
   * @throws {SpillwayError} `store-unavailable`
   */
  declareDemand(stream: string, ttl: number): Promise<void>;
  /**
   * Whether any node needs the stream's events.
   * @throws {SpillwayError} `store-unavailable`
   */
  hasDemand(stream: string): Promise<boolean>;
}

/** Who has the right to ingest a stream. */
export interface LeaseHolder {
  /** The node's name, as its store was told at the start. */
  readonly node: string;
  /** Greater than that of every lease on the stream before it. An append under an earlier one is refused from then on. */
  readonly fence: number;
}

/** That right, in the hands of this node. */
export interface Lease extends LeaseHolder {
  /**
   * Keeps it for `ttl` ms from now on; false if it is lost.
   * @throws {SpillwayError} `store-unavailable`: it may or may not have been kept.
   */
  renew(ttl: number): Promise<boolean>;
  /** Gives it back, so that another node may have it at once. Does nothing if it is lost. */
  release(): Promise<void>;
}
