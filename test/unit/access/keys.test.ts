import { expect, test, vi } from "vitest";
import { createKey, hashKey } from "../../../src/access/keys.ts";
import { accessOf, bearer, errorOf, outcome, requestOf, said, subjectOf } from "./support.ts";

test("a key has 256 random bits and a prefix, and its hash is that of sha256sum", () => {
  const made = Array.from({ length: 100 }, createKey);
  expect(new Set(made).size).toBe(100);
  for (const key of made) expect(key).toMatch(/^spw_[\w-]{43}$/);
  expect(hashKey("spw_test")).toBe("sha256:39ae6f4175f53a5872e0187cd1142a5f7503bfb0b8e8118722f7c26e9b7ecb8a");
});

test("each key provides its own grant, in either header, synchronously", () => {
  const [web, feeder] = [createKey(), createKey()];
  const access = accessOf({
    keys: [
      { name: "web", hash: hashKey(web), streams: ["prices"], channels: ["user:*"] },
      { name: "feeder", hash: hashKey(feeder), can: ["publish"] },
    ],
  });
  expect(access.identify(bearer(web), "prices")).toMatchObject({
    subject: "key:web",
    grant: { can: ["subscribe"], streams: ["prices"], channels: ["user:*"] },
    recognized: { by: "key", hash: hashKey(web) },
  });
  expect(access.identify(requestOf({ headers: { "x-api-key": feeder } }), undefined)).toMatchObject({
    subject: "key:feeder",
    grant: { can: ["publish"] },
  });
});

test("a part of a key, or a longer text, is not a key", async () => {
  const key = createKey();
  const access = accessOf({ keys: [{ name: "web", hash: hashKey(key) }] });
  for (const wrong of [key.slice(0, -1), `${key}x`, key.toLowerCase(), "spw_", hashKey(key)]) {
    expect(await subjectOf(access, bearer(wrong))).toBe("credential-invalid");
  }
});

test("a key expires at its time, and the identity has that time", async () => {
  const key = createKey();
  const expires = new Date(Date.now() + 60_000).toISOString();
  const access = accessOf({ keys: [{ name: "web", hash: hashKey(key), expires }] });
  expect(await outcome(access, bearer(key))).toMatchObject({ expiresAt: Date.parse(expires) });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(expires) });
  try {
    expect(await subjectOf(access, bearer(key))).toBe("credential-expired");
  } finally {
    vi.useRealTimers();
  }
});

test("an error does not contain the key", async () => {
  const key = createKey();
  const error = await errorOf(() => accessOf({}).identify(bearer(key), undefined));
  expect(said(error)).not.toContain(key.slice(4));
});
