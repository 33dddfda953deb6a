import { describe, expect, test } from "vitest";
import { firstRequest, redirected, resumed } from "../../../src/upstream/request.ts";

const get = { method: "GET", body: undefined } as const;
const post = { method: "POST", body: "{}" } as const;
const keys = {
  "Authorization": "Bearer s3cret",
  "Cookie": "s=1",
  "X-Api-Key": "s3cret",
  "Accept": "text/event-stream;v=2",
};

describe("the first request", () => {
  test("asks for an uncompressed, uncached event stream", () => {
    expect(firstRequest("http://a/e?x=1#part", get, {})).toEqual({
      url: new URL("http://a/e?x=1"),
      method: "GET",
      headers: { "accept": "text/event-stream", "accept-encoding": "identity", "cache-control": "no-cache" },
      body: undefined,
    });
  });

  test("gives precedence to the user's headers, in any letter case", () => {
    const { headers } = firstRequest("http://a/", get, { "ACCEPT": "x/y", "cache-Control": "no-store" });
    expect(headers).toMatchObject({ "accept": "x/y", "cache-control": "no-store" });
  });

  test("turns a user and password of the URL into Basic credentials", () => {
    const { url, headers } = firstRequest("http://me:p%40ss@a/", get, {});
    expect(url.href).toBe("http://a/");
    expect(headers["authorization"]).toBe(`Basic ${Buffer.from("me:p@ss").toString("base64")}`);
    expect(firstRequest("http://me@a/", get, { Authorization: "mine" }).headers["authorization"]).toBe("mine");
  });

  test("has a body only for POST", () => {
    expect(firstRequest("http://a/", post, {}).body).toBe("{}");
    expect(firstRequest("http://a/", { ...get, body: "{}" }, {}).body).toBeUndefined();
  });

  test.each(["ftp://a/", "file:///etc/passwd", "nonsense"])("cannot be made to %s", (url) => {
    expect(() => firstRequest(url, get, {})).toThrow();
  });
});

describe("a cursor", () => {
  const request = firstRequest("http://a/?id=0", get, { "Last-Event-ID": "0" });

  test("replaces a start position of the user", () => {
    expect(resumed(request, "header", "9").headers["last-event-id"]).toBe("9");
    expect(resumed(request, { query: "id" }, "9").url.search).toBe("?id=9");
  });

  test("that is missing leaves the user's start position", () => {
    expect(resumed(request, "header", undefined)).toEqual(request);
    expect(resumed(request, { query: "id" }, undefined)).toEqual(request);
  });

  test("that is missing is replaced by the initial value, if there is one", () => {
    const resume = { query: "id", initial: "$" };
    expect(resumed(request, resume, undefined).url.search).toBe("?id=%24");
    expect(resumed(request, resume, "9").url.search).toBe("?id=9");
  });
});

describe("a redirect", () => {
  const request = firstRequest("http://a/e", post, { ...keys, "Content-Type": "application/json" });

  test("within the origin keeps every header", () => {
    const next = redirected(request, 307, "/other#part");
    expect(next).toEqual({ ...request, url: new URL("http://a/other") });
  });

  test.each(["http://b/e", "https://a/e", "http://a:81/e", "//b/e"])(
    "to %s keeps no header that may contain a key",
    (to) => {
      const { headers } = redirected(request, 308, to);
      expect(headers).toEqual({
        "accept": "text/event-stream;v=2",
        "accept-encoding": "identity",
        "cache-control": "no-cache",
        "content-type": "application/json",
      });
    },
  );

  test("back to the first origin does not restore them", () => {
    const there = redirected(request, 308, "http://b/");
    expect(JSON.stringify(redirected(there, 308, "http://a/e"))).not.toContain("s3cret");
  });

  test.each([301, 302, 303])("with %i turns a POST into a GET without a body", (status) => {
    const next = redirected(request, status, "/other");
    expect(next.method).toBe("GET");
    expect(next.body).toBeUndefined();
    expect(next.headers["content-type"]).toBeUndefined();
  });

  test.each([307, 308])("with %i keeps a POST with its body", (status) => {
    expect(redirected(request, status, "/other")).toMatchObject({ method: "POST", body: "{}" });
  });

  test.each([undefined, "ftp://a/", "http://", "data:text/event-stream,data:1"])("to %j is refused", (to) => {
    expect(() => redirected(request, 302, to)).toThrow(expect.objectContaining({ code: "upstream-redirect" }));
  });
});
