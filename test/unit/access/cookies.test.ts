import { SignJWT } from "jose";
import { expect, test } from "vitest";
import { accessOf, requestOf, subjectOf } from "./support.ts";

const secret = "0123456789abcdef0123456789abcdef";
const token = await new SignJWT({ sub: "ada" })
  .setProtectedHeader({ alg: "HS256" })
  .sign(new TextEncoder().encode(secret));
const cors = { origins: ["https://app.example"], credentials: true };
const access = accessOf({ anonymous: ["subscribe"], jwt: { secret }, cookie: "session", cors });

test.each<[string, string]>([
  [`session=${token}`, "jwt:ada"],
  [`a=1; session=${token} ; b`, "jwt:ada"],
  [`session="${token}"`, "jwt:ada"],
  [`session=${token}; session=other`, "jwt:ada"],
  ["session=wrong", "credential-invalid"],
  ["session=a=b", "credential-invalid"],
  [`Session=${token}`, "anonymous"],
  [`xsession=${token}`, "anonymous"],
  [`a=session=${token}`, "anonymous"],
  ["session=", "anonymous"],
  ["session", "anonymous"],
  ["", "anonymous"],
])("the cookies %j result in %s", async (cookie, subject) => {
  expect(await subjectOf(access, requestOf({ headers: { cookie } }))).toBe(subject);
});

test.each<[string, Record<string, string>, string, boolean]>([
  ["an allowed origin", { origin: "https://app.example" }, "POST", true],
  ["the gateway's own origin", { origin: "https://gateway.example" }, "POST", true],
  ["another origin", { origin: "https://evil.example" }, "GET", false],
  ["no origin in particular", { origin: "null" }, "GET", false],
  ["an origin that begins alike", { origin: "https://app.example.evil.example" }, "GET", false],
  ["the other scheme", { origin: "http://app.example" }, "GET", false],
  [
    "another origin that claims to be the same site",
    { "origin": "https://evil.example", "sec-fetch-site": "same-origin" },
    "GET",
    false,
  ],
  ["a page of the same origin", { "sec-fetch-site": "same-origin" }, "GET", true],
  ["the address bar", { "sec-fetch-site": "none" }, "GET", true],
  ["a page of the same site", { "sec-fetch-site": "same-site" }, "GET", false],
  ["a page of another site", { "sec-fetch-site": "cross-site" }, "GET", false],
  ["a reader that says nothing", {}, "GET", true],
  ["a reader that says nothing", {}, "HEAD", true],
  ["a writer that says nothing", {}, "POST", false],
  ["a deleter that says nothing", {}, "DELETE", false],
])("a cookie from %s (%o, %s) is accepted: %s", async (_, headers, method, counts) => {
  const request = requestOf({ method, headers: { ...headers, cookie: `session=${token}` } });
  expect(await subjectOf(access, request)).toBe(counts ? "jwt:ada" : "origin-denied");
});

test("the origin only matters for cookies", async () => {
  const origin = "https://evil.example";
  expect(await subjectOf(access, requestOf({ headers: { origin, authorization: `Bearer ${token}` } }))).toBe("jwt:ada");
  expect(await subjectOf(access, requestOf({ headers: { origin } }))).toBe("anonymous");
  expect(await subjectOf(access, requestOf({ headers: { origin, cookie: "other=1" } }))).toBe("anonymous");
});

test("allowing all origins to read does not make their cookies accepted", async () => {
  const open = accessOf({ jwt: { secret }, cookie: "session", cors: { origins: ["*"] } });
  const headers = { origin: "https://evil.example", cookie: `session=${token}` };
  expect(await subjectOf(open, requestOf({ headers }))).toBe("origin-denied");
});
