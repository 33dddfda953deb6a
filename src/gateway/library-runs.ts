import { toFetchHandler } from "../adapters/fetch/handler.ts";
import { SpillwayError } from "../errors.ts";
import type { Caller, GatewayContext } from "../http/gateway-context.ts";
import { formatRunId, hashOf, type Run, type RunStart } from "../runs/record.ts";
import { runDefaults, type Dialect } from "../runs/options.ts";
import { produce, type RunProducer } from "../runs/produce.ts";
import { positionOf, statusOf, type RunStatus } from "../runs/run-requests.ts";
import { respond } from "../runs/run-response.ts";
import type { Runs } from "../runs/runs.ts";
import { claimRun, keyName, subjectName } from "../runs/start-run.ts";

/** A run whose events the program makes itself. Durations are in ms. */
export interface GatewayRunOptions {
  /** What it is called in logs, `/status` and grants, as a route is: clients need the right `proxy` for it. */
  readonly name: string;
  /** Calls with the same key get the same run. Default: each call starts a run. */
  readonly key?: string | undefined;
  /** What the key stands for: a call with the key and another request is refused. Default: nothing. */
  readonly request?: string | undefined;
  /** The subject that may join the run, such as `jwt:alice`. Default: everyone with the right `proxy` for `name`. */
  readonly owner?: string | undefined;
  /** How its end and errors are told. Default: `none`. */
  readonly dialect?: Dialect | undefined;
  /** What a call gets with the key of a run that has ended. Default: `join`. */
  readonly afterEnd?: "join" | "restart" | undefined;
  /** How long it may have no client before it is stopped. Default: any time. */
  readonly cancelAfter?: number | undefined;
  /** How long it is kept after its end. Default: one hour. */
  readonly ttl?: number | undefined;
  /** How long it may take. Default: 30 minutes. */
  readonly total?: number | undefined;
  /** How large its stored response may be, in bytes. Default: 16 MiB. */
  readonly maxBytes?: number | undefined;
}

/** A run, for the program that has started it. */
export interface GatewayRun {
  /** Its id, at `/runs/<id>`. */
  readonly id: string;
  /** Whether this call has started it. */
  readonly isNew: boolean;
  /**
   * The response for a client: all events, or those behind the `Last-Event-ID` of its request.
   * @throws {SpillwayError} `run-cancelled` if there is none; `request-invalid`.
   */
  response(request?: Request): Promise<Response>;
  state(): Promise<RunStatus>;
  /** Stops it, whichever process runs it. Idempotent. */
  stop(): Promise<void>;
}

/** The program itself, which needs no right. */
const program: Caller = {
  identity: { subject: "library", grant: { can: [] }, recognized: { by: "anonymous" } },
  address: undefined,
};

/** Starts a program's run, or finds the one with its key. */
export async function runInLibrary(
  options: GatewayRunOptions,
  producer: RunProducer,
  runs: Runs,
  gateway: GatewayContext,
): Promise<GatewayRun> {
  const { name, owner, key, request = "", cancelAfter, afterEnd = "join", dialect = "none" } = options;
  const { ttl = runDefaults.ttl, total = runDefaults.total, maxBytes = runDefaults.bytes } = options;
  const share = owner === undefined ? "granted" : "owner";
  const hash = subjectName(owner ?? "");
  const start: RunStart = {
    route: name,
    owner: hash,
    digest: hashOf(request),
    dialect,
    node: runs.node,
    ttl,
    shared: share === "granted",
    cancels: cancelAfter !== undefined,
    ...(key !== undefined && { key: keyName(name, { share }, hash, key) }),
  };
  const { run, isNew } = await claimRun(start, { afterEnd, perSubject: undefined }, runs);
  if (isNew) {
    const writer = runs.begin(run, { maxBytes, cancelAfter, total });
    const onFailure = (err: unknown): void => runs.logger.error({ err, run: name }, "the producer of a run failed");
    void produce(producer, writer, onFailure);
  } else runs.countsOf(name).joined++;
  return toGatewayRun(run, isNew, runs, gateway);
}

function toGatewayRun(run: Run, isNew: boolean, runs: Runs, gateway: GatewayContext): GatewayRun {
  const { journal } = runs;
  const answer = toFetchHandler(async (request) => {
    const head = await journal.headOf(run, request.signal);
    if (!head) throw new SpillwayError("run-cancelled");
    const position = positionOf(request, run, runs);
    const view = { run, head, position, isReplay: true, release: () => {} };
    return respond(view, { request, caller: program, gateway }, runs);
  });
  return {
    id: formatRunId(run),
    isNew,
    response: (request = new Request("http://localhost/")) => answer(request),
    state: async () => statusOf(run, await journal.endOf(run), runs),
    stop: async () => void (await runs.stop(run)),
  };
}
