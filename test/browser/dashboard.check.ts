import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumInstalled, launchChromium } from "../support/chromium.ts";
import { makeKey } from "../support/credentials.ts";
import { logIn, operator, showDashboard } from "../support/dashboard-page.ts";
import { warnMissing } from "../support/programs.ts";

/** The dashboard, as its users see it. */

let browser: Browser;
if (!chromiumInstalled) warnMissing("Chromium", "chromium");
beforeAll(async () => {
  if (chromiumInstalled) browser = await launchChromium();
});
afterAll(() => browser?.close());

describe.runIf(chromiumInstalled)("the dashboard", () => {
  test.each(["", "/live/feed"])("below %j, a user logs in, sees the streams, and logs out", async (prefix) => {
    const { page, url, gateway, requests, complaints } = await showDashboard(browser, { prefix });
    await gateway.publish("prices", [{ data: "1" }, { data: "2" }]);
    await logIn(page);
    const row = page.getByRole("row", { name: "prices" });
    await row.waitFor();
    expect(await row.textContent()).toContain("2 events");
    // The key is in no storage of the page, and the cookie is out of its reach.
    expect(await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie]))).not.toMatch(
      /spw_|spt_/,
    );
    await page.reload();
    await row.waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("API key or token").waitFor();
    await page.reload();
    await page.getByLabel("API key or token").waitFor();
    const base = url.replace(/dashboard\/$/, "");
    expect(requests.filter((each) => !each.startsWith(base) && !each.startsWith("data:"))).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test("a wrong key is refused with a reason, and too many of them are blocked", async () => {
    const limits = { failedCredentials: "3/1m" };
    const { page } = await showDashboard(browser, {
      config: { streams: { a: {} }, store: "memory:", dashboard: true, access: { keys: [operator.config] }, limits },
    });
    for (const [key, code] of [
      ["spw_1", "credential-invalid"],
      ["spw_2", "credential-invalid"],
      ["spw_3", "credential-invalid"],
      [operator.key, "rate-limited"],
    ] as const) {
      await logIn(page, key);
      await page.getByRole("alert").filter({ hasText: code }).waitFor();
    }
  });

  test("a key without the right admin gets no data", async () => {
    const web = makeKey("web", { can: ["subscribe", "inspect", "publish"] });
    const { page, requests } = await showDashboard(browser, {
      config: { streams: { a: {} }, store: "memory:", dashboard: true, access: { keys: [web.config] } },
    });
    await logIn(page, web.key);
    await page.getByRole("alert").filter({ hasText: "access-denied" }).waitFor();
    expect(requests.filter((each) => !each.includes("/dashboard/") && !each.startsWith("data:"))).toEqual([]);
  });

  test("without a login, it shows what everyone may see, or how to get the right", async () => {
    const config = { streams: { a: {} }, store: "memory:", dashboard: true } as const;
    const open = await showDashboard(browser, { config: { ...config, access: { anonymous: ["admin"] } } });
    await open.page.getByRole("row", { name: "publish only" }).waitFor();
    // As in a browser that blocks storage.
    await open.page.addInitScript(
      "Object.defineProperty(globalThis, 'localStorage', { get() { throw new Error(); } })",
    );
    await open.page.reload();
    await open.page.getByRole("row", { name: "publish only" }).waitFor();
    const closed = await showDashboard(browser, { config: { ...config, access: undefined } });
    await closed.page.getByText("gives it to no one").waitFor();
  });
});
