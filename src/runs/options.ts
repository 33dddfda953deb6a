/** The options of runs, checked and complete. Durations are in ms, sizes in bytes. */
import type { RouteOptions } from "../proxy/options.ts";

/** Whose words a run's response is in: how it ends, fails and is cut short, so that the clients of that API notice. */
export type Dialect = "openai" | "anthropic" | "ai-sdk" | "none";

/** Where the key of a run is: a header of the request, or a JSON pointer into its body. */
export interface RunKey {
  readonly in: "header" | "body";
  /** The header's name in lower case, or the pointer. */
  readonly name: string;
}

/** What a run costs at most. */
export interface RunLimits {
  /** Of the stored response, as retention counts: 128 for each event in addition. */
  readonly bytes: number;
  /** Of the request's body. */
  readonly body: number;
  /** Runs that one subject, or one address without a credential, has at a time; absent for no bound. */
  readonly perSubject: number | undefined;
}

/** POST requests whose responses are stored and can be joined again. */
export interface RunOptions {
  /** How requests are forwarded. */
  readonly route: RouteOptions;
  readonly dialect: Dialect;
  /** The first one that a request has counts. */
  readonly key: readonly RunKey[];
  /** What a request gets with the key of a run that has ended: that run, or a new one. */
  readonly afterEnd: "join" | "restart";
  /** Whether `GET <path>/<key>/stream` joins the run of that key, and `DELETE` stops it. */
  readonly rejoin: boolean;
  /** How long after its last client has left a run is stopped; absent for never. */
  readonly cancelAfter: number | undefined;
  /** Who may join a run: whoever has started it, or everyone with the right to use the route. */
  readonly share: "owner" | "granted";
  /** How long a run is kept after its end. */
  readonly ttl: number;
  /** How long a run may take. */
  readonly total: number;
  readonly limits: RunLimits;
}

/** What applies to runs, of requests and of programs, that say nothing else. */
export const runDefaults: Pick<RunOptions, "ttl" | "total"> & Pick<RunLimits, "bytes"> = {
  ttl: 3_600_000,
  total: 1_800_000,
  bytes: 16 * 1024 * 1024,
};

/** The runs by the path patterns of their requests. */
export type Runs = Readonly<Record<string, RunOptions>>;
