import { describe, expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { createLoggedHistory } from "../../unit/upstream/logged-history.ts";
import { probe, source } from "./support.ts";

const keys = { "authorization": "Bearer s3cret", "cookie": "s=s3cret", "x-api-key": "s3cret" };

const redirect = (location: string, status = 302): object => ({ status, headers: { location } });

describe("a redirect", () => {
  test("is followed with the position; the user's headers are only sent to the same origin", async () => {
    const [origin, other] = [await source(), await source()];
    origin.control({ next: [redirect("/here"), redirect(`${other.origin}/there?x=1`, 307)] });
    const history = createLoggedHistory();
    history.append({ events: [], cursor: "5", gap: false });
    const { upstream, untilState } = probe(origin.url, { headers: keys }, {}, history);
    upstream.start();
    await untilState("open");
    const [first, second] = origin.state().connections;
    const [third] = other.state().connections;
    expect([first!.url, second!.url, third!.url]).toEqual(["/events", "/here", "/there?x=1"]);
    for (const { headers } of [first!, second!, third!]) expect(headers["last-event-id"]).toBe("5");
    expect(second!.headers).toMatchObject(keys);
    expect(JSON.stringify(third!.headers)).not.toContain("s3cret");
    expect(third!.headers.accept).toBe("text/event-stream");
    // Nothing is left of the connection that led here.
    await eventually(() => origin.state().sockets === 0);
  });

  test("does not lose the position in the query", async () => {
    const origin = await source({ parameter: "last-id" });
    origin.control({ next: [redirect("/moved?x=1")] });
    const history = createLoggedHistory();
    history.append({ events: [], cursor: "5", gap: false });
    const { upstream, untilState } = probe(origin.url, { resume: { query: "last-id" } }, {}, history);
    upstream.start();
    await untilState("open");
    expect(origin.state().connections.map(({ url }) => url)).toEqual(["/events?last-id=5", "/moved?x=1&last-id=5"]);
  });

  test.each([
    [303, "GET", ""],
    [307, "POST", "{}"],
  ])("by %i makes a POST a %s", async (status, method, body) => {
    const origin = await source();
    origin.control({ next: [redirect("/moved", status)] });
    const { upstream, untilState } = probe(origin.url, { method: "POST", body: "{}" });
    upstream.start();
    await untilState("open");
    expect(origin.state().connections[1]).toMatchObject({ method, body });
  });

  test.each([
    [301, "REPORT", "{}"],
    [302, "REPORT", "{}"],
    [303, "GET", ""],
    [308, "REPORT", "{}"],
  ])("by %i makes a REPORT a %s", async (status, method, body) => {
    const origin = await source();
    origin.control({ next: [redirect("/moved", status)] });
    const { upstream, untilState } = probe(origin.url, { method: "REPORT", body: "{}" });
    upstream.start();
    await untilState("open");
    expect(origin.state().connections[1]).toMatchObject({ method, body });
  });

  test("in a loop is given up after maxRedirects", async () => {
    const origin = await source();
    origin.control({ always: redirect("/events") });
    const { upstream, untilFailure, untilState } = probe(origin.url, {
      maxRedirects: 3,
      backoff: { min: 1000, max: 2000, healthy: 1000 },
    });
    upstream.start();
    expect(await untilFailure()).toBe("upstream-redirect");
    await untilState("waiting");
    expect(origin.state().connections).toHaveLength(4);
  });

  test("with an endless body is still followed", async () => {
    const origin = await source();
    origin.control({ next: [{ ...redirect("/moved"), flood: "x" }] });
    const { upstream, untilState } = probe(origin.url);
    upstream.start();
    await untilState("open");
    await eventually(() => origin.state().sockets === 1);
  });
});
