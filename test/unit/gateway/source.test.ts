import { afterEach, beforeEach, expect, test } from "vitest";
import { SpillwayError } from "../../../src/errors.ts";
import type { StreamOptions } from "../../../src/gateway/options.ts";
import { openSource, type OwnSource } from "../../../src/gateway/source.ts";
import type { LeaseStatus } from "../../../src/http/gateway-context.ts";
import type { Log, LogStore } from "../../../src/log/log.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { createMemoryCoordination, type MemoryCoordination } from "../../support/memory-coordination.ts";
import { startNumberedUpstream, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually } from "../../support/reader.ts";
import { upstreamOptions } from "../upstream/support.ts";

const lease = 60_000;

let place: MemoryCoordination;
let upstream: NumberedUpstream;
let source: OwnSource;
/** The fences of appends and attempted appends. */
let fences: Array<number | undefined>;

/** A store that refuses the fences of ended leases, like shared stores. */
function createFencedStore(): LogStore {
  const store = createMemoryStore();
  return {
    kind: "fenced",
    coordination: place.join("here"),
    close: () => store.close(),
    async open(stream, options) {
      const log = await store.open(stream, options);
      const append: Log["append"] = async (events, appendOptions = {}) => {
        const { fence } = appendOptions;
        fences.push(fence);
        if (fence !== undefined && fence !== place.holder(stream)?.fence) throw new SpillwayError("lease-lost");
        return log.append(events, appendOptions);
      };
      return {
        stream,
        epoch: log.epoch,
        state: () => log.state(),
        append,
        read: (after, readOptions) => log.read(after, readOptions),
        find: (position) => log.find(position),
        watch: (listener) => log.watch(listener),
        trim: () => log.trim(),
      };
    },
  };
}

function streamOptions(): StreamOptions {
  return {
    upstream: { ...upstreamOptions({ targets: [{ url: upstream.url, name: "a" }] }), connect: "always", linger: 0 },
    hasUpstream: true,
    channel: undefined,
    webhook: undefined,
    transform: undefined,
    definition: undefined,
    ids: "gateway",
    retention: { age: undefined, events: undefined, bytes: undefined },
    heartbeat: { interval: 15_000, event: undefined },
    retry: undefined,
    coalesce: 0,
  };
}

beforeEach(async () => {
  place = createMemoryCoordination(() => performance.now());
  upstream = await startNumberedUpstream({ retry: 10 });
  fences = [];
  source = await openSource("s", streamOptions(), { store: createFencedStore(), logger: silentLogger, lease });
  source.start();
  await eventually(() => upstream.state().open === 1, "the upstream");
});

afterEach(async () => {
  await source.stop();
  await upstream.close();
});

test("ingested events are appended with the fence of the lease, published events without one", async () => {
  upstream.control({ emit: 1 });
  await eventually(() => source.log.state().head === 1, "the event");
  await source.append([{ event: "message", data: "published", channel: undefined, upstreamId: undefined }]);
  expect(fences).toEqual([1, undefined]);
});

test("when the store refuses the fence, the upstream is closed, and none of its events are in the log", async () => {
  upstream.control({ emit: 2 });
  await eventually(() => source.log.state().head === 2, "the events");
  place.revoke("s");
  const next = await place.join("there").acquire("s", lease);
  upstream.control({ emit: 1 });
  await eventually(() => upstream.state().open === 0, "the end of the connection");
  expect(source.lease!()).toMatchObject({ leader: false });
  expect(source.log.state().head).toBe(2);
  // When it is its turn again it goes on behind what is in the log.
  await next!.release();
  upstream.control({ emit: 1 });
  await eventually(() => source.log.state().head === 4, "the other events");
  expect(new Set(fences)).toEqual(new Set([1, 3]));
});

test("leases that are acquired, lost and released are counted, also when the source changes", async () => {
  const changes = (): LeaseStatus["changes"] => source.lease!()!.changes;
  expect(changes()).toEqual({ taken: 1, lost: 0, released: 0 });
  place.revoke("s");
  upstream.control({ emit: 1 });
  await eventually(() => changes().taken === 2, "another lease");
  expect(changes()).toEqual({ taken: 2, lost: 1, released: 0 });
  const prepared = await source.prepare({ ...streamOptions(), channel: "/n" });
  await prepared.commit();
  await eventually(() => changes().taken === 3, "a lease for the source that was changed");
  expect(changes()).toEqual({ taken: 3, lost: 1, released: 1 });
});
