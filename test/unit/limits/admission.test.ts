import fc from "fast-check";
import { expect, test } from "vitest";
import { SpillwayError } from "../../../src/errors.ts";
import { createAdmission, type AdmissionLimits, type Caller } from "../../../src/limits/admission.ts";

const none: AdmissionLimits = {
  connections: 1_000_000,
  perSubject: undefined,
  perAddress: undefined,
  connectRate: undefined,
  requestRate: undefined,
  publishRate: undefined,
};

const hour = 3_600_000;
const anna: Caller = { subject: "key:anna", address: "192.0.2.1" };
const ben: Caller = { subject: "key:ben", address: "192.0.2.2" };

/** An anonymous client at an address. */
const stranger = (address: string | undefined): Caller => ({ subject: "anonymous", address });

/** The error of a refusal; `undefined` if there is none. */
async function refusal(attempt: () => unknown): Promise<SpillwayError | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    if (error instanceof SpillwayError) return error;
    throw error;
  }
}

test("without limits per subject and address a connection is admitted synchronously, and no name is kept", () => {
  const admission = createAdmission(none);
  const release = admission.connect(anna);
  expect(release).toBeTypeOf("function");
  expect(admission.publish(anna)).toBeUndefined();
  expect(admission).toMatchObject({ connections: 1, keys: 0 });
});

test("beyond the total limit it is at capacity, until a connection ends", async () => {
  const admission = createAdmission({ ...none, connections: 1 });
  const release = admission.connect(anna);
  expect(await refusal(() => admission.connect(ben))).toMatchObject({ code: "at-capacity", retryAfter: 10 });
  release();
  expect(await refusal(() => admission.connect(ben))).toBeUndefined();
});

test("a subject has its limit over all addresses, independent of other subjects", async () => {
  const admission = createAdmission({ ...none, perSubject: 2 });
  admission.connect(anna);
  admission.connect({ ...anna, address: "192.0.2.9" });
  expect(await refusal(() => admission.connect(anna))).toMatchObject({ code: "too-many-connections", retryAfter: 10 });
  expect(await refusal(() => admission.connect(ben))).toBeUndefined();
});

test("anonymous clients have no subject: each address is counted separately", async () => {
  const admission = createAdmission({ ...none, perSubject: 1, perAddress: 2 });
  for (const address of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) admission.connect(stranger(address));
  expect(await refusal(() => admission.connect(stranger("192.0.2.1")))).toMatchObject({ code: "too-many-connections" });
  expect(await refusal(() => admission.connect(stranger("192.0.2.2")))).toBeUndefined();
});

test("the addresses of one IPv6 network are counted together", async () => {
  const admission = createAdmission({ ...none, perAddress: 1 });
  admission.connect(stranger("2001:db8:1:2::1"));
  expect(await refusal(() => admission.connect(stranger("2001:db8:1:2::2")))).toBeDefined();
  expect(await refusal(() => admission.connect(stranger("2001:db8:1:3::1")))).toBeUndefined();
});

test("a client without a known address is limited by its subject only", async () => {
  const admission = createAdmission({ ...none, perAddress: 1, perSubject: 1, connectRate: { count: 1, window: hour } });
  for (let times = 0; times < 3; times++) admission.connect(stranger(undefined));
  admission.connect({ subject: "key:anna", address: undefined });
  expect(await refusal(() => admission.connect({ subject: "key:anna", address: undefined }))).toBeDefined();
});

test("connections of a subject and attempts of an address cannot exceed their rate, even if earlier ones have ended", async () => {
  const admission = createAdmission({ ...none, connectRate: { count: 1, window: hour } });
  const come = async (caller: Caller): Promise<() => void> => {
    admission.arrive({ address: caller.address, subscribes: true });
    return admission.connect(caller);
  };
  (await come(anna))();
  const bySubject = await refusal(() => come({ ...anna, address: "192.0.2.9" }));
  const byAddress = await refusal(() => come(stranger("192.0.2.1")));
  for (const error of [bySubject, byAddress]) {
    expect(error?.code).toBe("rate-limited");
    expect(error?.retryAfter).toBeGreaterThan(3500);
    expect(error?.retryAfter).toBeLessThanOrEqual(3600);
  }
  // The first refusal was counted for the address, as it came before it was known who it was, and for nobody's place.
  expect(await refusal(() => come(stranger("192.0.2.9")))).toMatchObject({ code: "rate-limited" });
  expect(admission.connections).toBe(0);
  // Who does not subscribe is not counted.
  expect(await refusal(() => admission.arrive({ address: "192.0.2.1", subscribes: false }))).toBeUndefined();
});

test("requests of an address cannot exceed their rate, whatever they are", async () => {
  const admission = createAdmission({ ...none, requestRate: { count: 2, window: hour } });
  const come = (address: string | undefined): Promise<unknown> =>
    refusal(() => admission.arrive({ address, subscribes: false }));
  expect([await come("2001:db8::1"), await come("2001:db8::2")]).toEqual([undefined, undefined]);
  expect(await come("2001:db8::3")).toMatchObject({ code: "rate-limited" });
  expect(await come("192.0.2.1")).toBeUndefined();
  for (let times = 0; times < 3; times++) expect(await come(undefined)).toBeUndefined();
});

test("a subject that looks like an address is not counted as one", async () => {
  const admission = createAdmission({ ...none, connectRate: { count: 1, window: hour } });
  admission.connect({ subject: "192.0.2.1", address: undefined });
  expect(await refusal(() => admission.arrive({ address: "192.0.2.1", subscribes: true }))).toBeUndefined();
});

test("publishing is counted by subject, and for anonymous clients by address", async () => {
  const admission = createAdmission({ ...none, publishRate: { count: 1, window: hour } });
  admission.publish(anna);
  admission.publish({ ...ben, address: anna.address });
  admission.publish(stranger(anna.address));
  for (const caller of [{ ...anna, address: "192.0.2.9" }, stranger(anna.address)]) {
    expect(await refusal(() => admission.publish(caller))).toMatchObject({ code: "rate-limited" });
  }
  expect(await refusal(() => admission.connect(anna))).toBeUndefined();
});

test("changed limits apply to new clients, and disconnect nobody", async () => {
  const admission = createAdmission(none);
  const releases = [admission.connect(anna), admission.connect(anna)];
  admission.change({ ...none, connections: 1, perSubject: 1 });
  expect(admission.connections).toBe(2);
  expect(await refusal(() => admission.connect(ben))).toMatchObject({ code: "at-capacity" });
  admission.change({ ...none, perSubject: 1 });
  releases.push(admission.connect(anna));
  expect(await refusal(() => admission.connect(anna))).toMatchObject({ code: "too-many-connections" });
  for (const release of releases) release();
  expect(admission).toMatchObject({ connections: 0, keys: 0 });
});

test("an unchanged rate keeps its count when other limits change", async () => {
  const rated = { ...none, connectRate: { count: 1, window: hour }, publishRate: { count: 1, window: hour } };
  const admission = createAdmission(rated);
  admission.connect(anna);
  admission.publish(anna);
  admission.change({ ...rated, connections: 10, connectRate: { ...rated.connectRate }, publishRate: undefined });
  expect(await refusal(() => admission.connect(anna))).toMatchObject({ code: "rate-limited" });
  expect(await refusal(() => admission.publish(anna))).toBeUndefined();
});

test("a connection that its rate refuses is not counted", async () => {
  const admission = createAdmission({ ...none, connectRate: { count: 1, window: hour } });
  admission.connect(anna);
  expect(await refusal(() => admission.connect(anna))).toMatchObject({ code: "rate-limited" });
  expect(admission.connections).toBe(1);
});

const callers = fc.record({
  subject: fc.constantFrom("anonymous", "key:a", "key:b", "jwt:c"),
  address: fc.constantFrom("192.0.2.1", "192.0.2.2", "2001:db8::1", undefined),
});
const bound = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined });
const bounds = fc.record({ connections: fc.nat(8), perSubject: bound, perAddress: bound });
const step = fc.oneof(
  fc.record({ kind: fc.constant("connect" as const), caller: callers }),
  fc.record({ kind: fc.constant("release" as const), which: fc.nat(30) }),
);

test("in any order of connecting and leaving, clients are admitted exactly while there is room, and all slots are released", async () => {
  await fc.assert(
    fc.asyncProperty(bounds, fc.array(step, { maxLength: 80 }), async (limits, steps) => {
      const admission = createAdmission({ ...none, ...limits });
      const entered: Array<{ caller: Caller; release: () => void; gone: boolean }> = [];
      const held = (fits: (caller: Caller) => boolean): number =>
        entered.filter(({ caller, gone }) => !gone && fits(caller)).length;
      for (const action of steps) {
        if (action.kind === "release") {
          // Some are let go again that have gone before.
          const chosen = entered[action.which % Math.max(1, entered.length)];
          chosen?.release();
          if (chosen) chosen.gone = true;
          continue;
        }
        const { caller } = action;
        const { connections, perSubject = Infinity, perAddress = Infinity } = limits;
        const isFull = held(() => true) >= connections;
        const isCrowded =
          (caller.subject !== "anonymous" && held(({ subject }) => subject === caller.subject) >= perSubject) ||
          (caller.address !== undefined && held(({ address }) => address === caller.address) >= perAddress);
        const error = await refusal(() => entered.push({ caller, release: admission.connect(caller), gone: false }));
        expect(error?.code).toBe(isFull ? "at-capacity" : isCrowded ? "too-many-connections" : undefined);
        expect(admission.connections).toBe(held(() => true));
      }
      for (const { release } of entered) release();
      expect(admission).toMatchObject({ connections: 0, keys: 0 });
    }),
  );
});

test("a client that waits for its rate is counted: in total no more are admitted than there is room for", async () => {
  const rate = { count: 3, window: hour };
  await fc.assert(
    fc.asyncProperty(bounds, fc.array(callers, { maxLength: 30 }), async (limits, crowd) => {
      const admission = createAdmission({ ...none, ...limits, connectRate: rate });
      const attempts = crowd.map(async (caller) => {
        admission.arrive({ address: caller.address, subscribes: true });
        return { caller, release: admission.connect(caller) };
      });
      expect(admission.connections).toBeLessThanOrEqual(limits.connections);
      const entered = (await Promise.allSettled(attempts)).flatMap((result) =>
        result.status === "fulfilled" ? [result.value] : [],
      );
      expect(admission.connections).toBe(entered.length);
      const { perSubject = Infinity, perAddress = Infinity } = limits;
      for (const { caller } of entered) {
        const ofSubject = entered.filter((other) => other.caller.subject === caller.subject).length;
        const ofAddress = entered.filter((other) => other.caller.address === caller.address).length;
        if (caller.subject !== "anonymous") expect(ofSubject).toBeLessThanOrEqual(Math.min(perSubject, rate.count));
        if (caller.address !== undefined) expect(ofAddress).toBeLessThanOrEqual(Math.min(perAddress, rate.count));
      }
      for (const { release } of entered) release();
      expect(admission).toMatchObject({ connections: 0, keys: 0 });
    }),
  );
});
