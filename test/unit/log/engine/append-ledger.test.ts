import { expect, test } from "vitest";
import { SpillwayError } from "../../../../src/errors.ts";
import { AppendLedger } from "../../../../src/log/engine/append-ledger.ts";
import {
  type Batch,
  type DriverFailure,
  type GroupResult,
  LogReplacedError,
} from "../../../../src/log/engine/driver.ts";
import type { AppendOptions } from "../../../../src/log/log.ts";

/** The result of a call of the driver; an error without a code is a connection error. */
type Ending =
  | "appended"
  | "lost before"
  | "lost after"
  | "contention"
  | "refused"
  | "full"
  | "unreachable"
  | "replaced";

class DriverError extends Error {
  readonly ending: Ending;

  constructor(ending: Ending) {
    super(ending);
    this.ending = ending;
  }
}

const failures: Readonly<Record<string, Omit<DriverFailure, "error">>> = {
  "lost before": { unknown: true, retry: true },
  "lost after": { unknown: true, retry: true },
  "contention": { retry: true },
  "refused": { divisible: true },
};

/** A log in an array, behind a driver whose calls end as the test says; by default they succeed. */
function createScene() {
  const log: string[] = [];
  const landed = new Map<number, GroupResult>();
  const script: { append: Ending[]; settle: Ending[] } = { append: [], settle: [] };
  const observed: GroupResult[] = [];
  let replaced = 0;

  function store(number: number, group: readonly Batch[]): GroupResult {
    const outcomes = group.map(({ events }) => {
      const first = log.length + 1;
      log.push(...events.map(({ data }) => data));
      return { first, last: log.length, replayed: false };
    });
    const result = { outcomes };
    landed.set(number, result);
    return result;
  }

  const ledger = new AppendLedger({
    driver: {
      async append(number, group) {
        const ending = script.append.shift() ?? "appended";
        const poison = group.some(({ events }) => events.some(({ data }) => data === "poison"));
        if (poison) throw new DriverError("refused");
        if (ending === "replaced") throw new LogReplacedError();
        if (ending === "appended") return store(number, group);
        if (ending === "lost after") store(number, group);
        throw new DriverError(ending);
      },
      async settle(number) {
        const ending = script.settle.shift() ?? "appended";
        if (ending === "replaced") throw new LogReplacedError();
        if (ending !== "appended") throw new DriverError(ending);
        return landed.get(number);
      },
      failure(error) {
        const { ending } = error as DriverError;
        const code = ending === "full" ? "store-full" : "store-unavailable";
        return { error: new SpillwayError(code, ending), ...failures[ending] };
      },
    },
    onAppended: (result) => void observed.push(result),
    onReplaced: () => {
      replaced++;
      return new SpillwayError("store-unavailable", "replaced");
    },
  });

  async function append(data: string, options: AppendOptions = {}): Promise<string> {
    const [outcome] = await ledger.append([batchOf(data, options)]);
    return outcome instanceof SpillwayError ? outcome.code : `${outcome!.first}-${outcome!.last}`;
  }
  return { ledger, log, script, observed, append, replaced: () => replaced };
}

function batchOf(data: string, options: AppendOptions = {}): Batch {
  const event = { event: "message", data, channel: undefined, upstreamId: undefined };
  return { events: [event], options, clock: 1 };
}

test("a group whose answer was lost is settled: it is found in the log, or sent again", async () => {
  const { append, script, log, observed } = createScene();
  script.append = ["lost after"];
  expect(await append("a")).toBe("1-1");
  script.append = ["lost before"];
  expect(await append("b")).toBe("2-2");
  expect(log).toEqual(["a", "b"]);
  expect(observed).toHaveLength(2);
});

test("a transaction that conflicts with another one is sent again", async () => {
  const { append, script, log } = createScene();
  script.append = ["contention", "contention"];
  expect(await append("a")).toBe("1-1");
  expect(log).toEqual(["a"]);
});

test("an append that cannot be settled in time is unknown, and so is its retry; others were not appended", async () => {
  const { append, script, log, ledger } = createScene();
  ledger.hurry();
  const retryToken = {};
  script.append = ["lost after"];
  script.settle = ["unreachable", "unreachable", "unreachable", "unreachable"];
  expect(await append("a", { retryToken })).toBe("append-unknown");
  expect(await append("a", { retryToken })).toBe("append-unknown");
  expect(await append("a")).toBe("store-unavailable");
  expect(await append("b", { idempotency: { key: "k", fingerprint: "f" } })).toBe("store-unavailable");
  expect(log).toEqual(["a"]);
  // The token claims what was found; the same events without it are another append.
  expect(await append("a", { retryToken })).toBe("1-1");
  expect(await append("a", { retryToken: {} })).toBe("2-2");
  expect(log).toEqual(["a", "a"]);
});

test("while an append is not settled, its retry with the same idempotency key is unknown too", async () => {
  const { append, script, ledger } = createScene();
  ledger.hurry();
  const idempotency = { key: "k", fingerprint: "f", owner: "o" };
  script.append = ["lost before"];
  script.settle = ["unreachable", "unreachable", "unreachable"];
  expect(await append("a", { idempotency })).toBe("append-unknown");
  expect(await append("a", { idempotency })).toBe("append-unknown");
  expect(await append("a", { idempotency: { ...idempotency, owner: "another" } })).toBe("store-unavailable");
});

test("an unknown append that was called off is appended by its retry", async () => {
  const { append, script, log, ledger } = createScene();
  ledger.hurry();
  const retryToken = {};
  script.append = ["lost before"];
  script.settle = ["unreachable"];
  expect(await append("a", { retryToken })).toBe("append-unknown");
  expect(await append("other")).toBe("1-1");
  expect(await append("a", { retryToken })).toBe("2-2");
  expect(log).toEqual(["other", "a"]);
});

test("a batch that the engine refuses fails alone; an error that concerns all fails all", async () => {
  const { ledger, log, script } = createScene();
  const outcomes = await ledger.append([batchOf("a"), batchOf("poison"), batchOf("b")]);
  expect(outcomes).toMatchObject([{ first: 1 }, { code: "store-unavailable" }, { first: 2 }]);
  script.append = ["full"];
  const refused = await ledger.append([batchOf("c"), batchOf("d")]);
  expect(refused).toMatchObject([{ code: "store-full" }, { code: "store-full" }]);
  expect(log).toEqual(["a", "b"]);
});

test("a replaced log refuses appends that were not sent; those sent but not answered are unknown", async () => {
  const first = createScene();
  first.script.append = ["replaced"];
  expect(await first.append("a")).toBe("store-unavailable");
  const second = createScene();
  second.script.append = ["lost after"];
  second.script.settle = ["replaced"];
  expect(await second.append("a")).toBe("append-unknown");
  expect([first.replaced(), second.replaced()]).toEqual([1, 1]);
});
