import { expect, test } from "vitest";
import type { AuthorizeFunction, AuthorizeResult } from "../../../src/access/authorize.ts";
import { SpillwayError } from "../../../src/errors.ts";
import { accessOf, bearer, outcome, requestOf, subjectOf } from "./support.ts";

const decideBy = (authorize: AuthorizeFunction): Promise<string> =>
  subjectOf(accessOf({ authorize }), requestOf({}), "prices");

test("the function gets request and stream, and its result is the identity", async () => {
  const expiresAt = new Date(Date.now() + 60_000);
  const authorize: AuthorizeFunction = ({ request, stream }) => ({
    subject: `${request.method} ${request.header("cookie")} ${stream}`,
    can: ["subscribe", "publish"],
    streams: ["prices"],
    expiresAt,
  });
  expect(await outcome(accessOf({ authorize }), requestOf({ headers: { cookie: "a=1" } }), "prices")).toMatchObject({
    subject: "GET a=1 prices",
    grant: { can: ["subscribe", "publish"], streams: ["prices"] },
    expiresAt: expiresAt.getTime(),
    recognized: { by: "authorize" },
  });
});

test("undefined refuses, a SpillwayError is the response, and any other error denies access", async () => {
  expect(await decideBy(() => undefined)).toBe("access-denied");
  expect(await decideBy(() => Promise.resolve(undefined))).toBe("access-denied");
  expect(
    await decideBy(() => {
      throw new SpillwayError("credential-required");
    }),
  ).toBe("credential-required");
  expect(await decideBy(() => Promise.reject(new Error("no database")))).toBe("authorize-unavailable");
});

test.each([
  true,
  null,
  "subscribe",
  { can: ["everything"] },
  { expiresAt: new Date(NaN) },
  { expiresAt: Infinity },
  { stream: ["a"] },
])("a result of %o denies access", async (result) => {
  expect(await decideBy(() => result as AuthorizeResult)).toBe("authorize-unavailable");
});

test("an expired result is refused as expired", async () => {
  expect(await decideBy(() => ({ expiresAt: Date.now() }))).toBe("credential-expired");
});

test("the function also gets tokens that no configured issuer has signed", async () => {
  const authorize: AuthorizeFunction = ({ request }) => ({ subject: request.header("authorization") });
  expect(await subjectOf(accessOf({ authorize }), bearer("opaque"))).toBe("Bearer opaque");
  const jwt = { secret: "0123456789abcdef0123456789abcdef" };
  expect(await subjectOf(accessOf({ authorize, jwt }), bearer("opaque"))).toBe("Bearer opaque");
});
