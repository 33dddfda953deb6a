import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { AccessConfig } from "../../src/index.ts";
import { chromiumInstalled, launchChromium } from "../support/chromium.ts";
import { bearer, jwtSecret, makeKey, makeToken } from "../support/credentials.ts";
import { freePort } from "../support/ports.ts";
import { serveGateway, type GatewayServer } from "../support/gateway-server.ts";
import { makeTicket } from "../support/probe.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually } from "../support/reader.ts";

const web = makeKey("web", { can: ["subscribe"], channels: ["news"] });
const admin = makeKey("admin", { can: ["admin"] });
const token = makeToken({ sub: "ada", spillway: {} });

let browser: Browser;
if (!chromiumInstalled) warnMissing("Chromium", "chromium");
beforeAll(async () => {
  if (chromiumInstalled) browser = await launchChromium();
});
afterAll(() => browser?.close());

async function serve(access: AccessConfig, change?: () => AccessConfig, port?: number): Promise<GatewayServer> {
  const server = await serveGateway(
    { store: "memory:", streams: { s: {} }, access },
    {
      page: "<!doctype html>",
      ...(change && { change: () => ({ access: change() }) }),
      ...(port !== undefined && { port }),
    },
  );
  onTestFinished(server.close);
  return server;
}

/** A page of an origin, in a browser with or without a cookie for the gateway. */
async function open(url: string, cookieFor?: string): Promise<Page> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  if (cookieFor !== undefined) {
    await context.addCookies([{ name: "session", value: token, url: cookieFor, httpOnly: true, sameSite: "Lax" }]);
  }
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** Opens an `EventSource` in the page, and says what it gets. */
async function listen(page: Page, url: string, init: object = {}): Promise<() => Promise<string[]>> {
  await page.evaluate(`
    got = [];
    source = new EventSource(${JSON.stringify(url)}, ${JSON.stringify(init)});
    source.addEventListener("connected", () => got.push("connected"));
    source.onmessage = ({ data }) => got.push(data);
  `);
  return () => page.evaluate<string[]>("got");
}

const untilClosed = (page: Page): Promise<void> =>
  eventually(() => page.evaluate<boolean>("source.readyState === EventSource.CLOSED"), "that it gives up");

describe.runIf(chromiumInstalled)("Chromium", () => {
  test("reconnects automatically with a ticket, and stops when the ticket has expired", async () => {
    const { gateway, url } = await serve({ keys: [web.config, admin.config] }, () => ({ keys: [admin.config] }));
    const request = (path: string, init: object = {}): Promise<Response> => fetch(url + path, init);
    const ticket = await makeTicket({ name: "", request, close: async () => {} }, '{"stream":"s"}', web.key);
    const page = await open(url);
    const got = await listen(page, `/streams/s?ticket=${ticket}`);
    await eventually(async () => (await got()).length === 1, "the connection");
    await request("/admin/subscribers?subject=key:web", { method: "DELETE", headers: bearer(admin.key) });
    await gateway.publish("s", [{ data: "hidden" }, { data: "1", channel: "news" }]);
    await eventually(async () => (await got()).length === 3, "the event that was missed");
    expect(await got()).toEqual(["connected", "connected", "1"]);
    await gateway.reload();
    await untilClosed(page);
  });

  describe("from another origin", () => {
    /** Two servers: one for pages, one for their streams. `localhost` is an origin that is not allowed. */
    async function serveBoth(): Promise<{ gateway: GatewayServer; app: string; stranger: string }> {
      const port = await freePort();
      const [app, stranger] = [`http://127.0.0.1:${port}`, `http://localhost:${port}`];
      const gateway = await serve({
        keys: [web.config],
        jwt: { secret: jwtSecret },
        cookie: "session",
        cors: { origins: [app], credentials: true },
      });
      await serve({}, undefined, port);
      return { gateway, app, stranger };
    }

    /** What a page can read of a response to `fetch`: status, a header and the code, or the error. */
    const fetchFrom = (page: Page, url: string, init: object): Promise<unknown> =>
      page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}).then(
        async (response) => [response.status, response.headers.get("spillway-resume"), (await response.json()).code],
        (error) => error.name,
      )`);

    test("fetch with a key is allowed, and can read error responses", async () => {
      const { gateway, app, stranger } = await serveBoth();
      const headers = { ...bearer(web.key), "accept": "application/json", "last-event-id": "zzzz.1" };
      const page = await open(app);
      const stream = `${gateway.url}/streams/s`;
      expect(await fetchFrom(page, stream, { headers })).toEqual([200, "reset", undefined]);
      expect(await fetchFrom(page, `${stream}?on-gap=fail`, { headers })).toEqual([410, "reset", "gap"]);
      expect(await fetchFrom(page, stream, {})).toEqual([401, null, "credential-required"]);
      const body = '{"stream":"s"}';
      const post = { method: "POST", headers: { ...headers, "content-type": "application/json" }, body };
      expect(await fetchFrom(page, `${gateway.url}/tickets`, post)).toEqual([201, null, undefined]);
      const other = await open(stranger);
      for (const init of [{ headers }, {}]) expect(await fetchFrom(other, stream, init)).toBe("TypeError");
    });

    test("an EventSource with the cookie is accepted only from an allowed origin", async () => {
      const { gateway, app, stranger } = await serveBoth();
      const stream = `${gateway.url}/streams/s`;
      const page = await open(app, gateway.url);
      const got = await listen(page, stream, { withCredentials: true });
      await eventually(async () => (await got()).length === 1, "the connection");
      await gateway.gateway.publish("s", { data: "1" });
      await eventually(async () => (await got()).length === 2, "the event");
      expect(await got()).toEqual(["connected", "1"]);

      const without = await open(app, gateway.url);
      await listen(without, stream);
      await untilClosed(without);
      const other = await open(stranger, gateway.url);
      const nothing = await listen(other, stream, { withCredentials: true });
      await untilClosed(other);
      expect(await nothing()).toEqual([]);
    });
  });
});
