import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { extname, join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { launchChromium } from "../support/chromium.ts";
import { expectAccessible, expectNoSidewaysScroll } from "../support/dashboard-page.ts";
import { anchorsOf } from "../support/doc-anchors.ts";
import { root } from "../support/doc-blocks.ts";
import { portOf } from "../support/ports.ts";

/** The documentation site, as `npm run build --prefix site` leaves it. */
const folder = join(root, "site/dist");

let server: Server;
let browser: Browser;

beforeAll(async () => {
  server = createServer((request, response) => {
    const file = fileOf(new URL(request.url!, "http://site.example").pathname);
    if (file === undefined) return response.writeHead(404).end();
    response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream");
    return response.end(readFileSync(file));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
  server.close();
});

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".md": "text/markdown; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
};

/** The file that a server of static files finds for a path. */
function fileOf(path: string): string | undefined {
  const place = join(folder, decodeURIComponent(path));
  return [place, `${place}.html`, join(place, "index.html")].find(
    (file) => existsSync(file) && statSync(file).isFile(),
  );
}

function files(ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(ending));
}

function read(file: string): string {
  return readFileSync(join(folder, file), "utf8");
}

/** The path at which a page is served: without its ending. */
function pathOf(file: string): string {
  return `/${file.replace(/(^|\/)index\.html$/, "$1").replace(/\.html$/, "")}`;
}

function idsOf(html: string): Set<string> {
  return new Set(Array.from(html.matchAll(/\sid="([^"]+)"/g), ([, id = ""]) => id));
}

test("every link of every page leads to a page of the site, and its fragment to a place there", () => {
  const ids = new Map<string, Set<string>>();
  const broken: string[] = [];
  for (const page of files(".html")) {
    for (const [, link = ""] of read(page).matchAll(/<a\s[^>]*?href="([^"]*)"/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const { pathname, hash } = new URL(link, `http://site.example${pathOf(page)}`);
      const file = fileOf(pathname);
      if (file === undefined) {
        broken.push(`${page}: ${link}`);
        continue;
      }
      if (hash === "") continue;
      if (!ids.has(file)) ids.set(file, idsOf(readFileSync(file, "utf8")));
      if (!ids.get(file)!.has(decodeURIComponent(hash.slice(1)))) broken.push(`${page}: ${link}`);
    }
  }
  expect(files(".html").length).toBeGreaterThan(100);
  expect([...new Set(broken)]).toEqual([]);
});

test("the headings of the pages have the anchors that they have on a code host", () => {
  const pages = files(".md");
  expect(pages).toContain("reference/errors.md");
  for (const page of pages) {
    const ids = Array.from(read(page.replace(/\.md$/, ".html")).matchAll(/<h[1-6] id="([^"]+)"/g), ([, id = ""]) => id);
    expect([page, ids]).toEqual([page, anchorsOf(read(page))]);
  }
});

test("llms.txt lists pages in Markdown, whose links lead to others", () => {
  for (const list of ["llms.txt", ...files(".md")]) {
    for (const [, link = ""] of read(list).matchAll(/\]\((\/[^)#\s]*)[^)]*\)/g)) {
      expect([list, link, fileOf(link) !== undefined]).toEqual([list, link, true]);
    }
  }
  const listed = Array.from(read("llms.txt").matchAll(/\]\(\/(\S+\.md)\)/g), ([, file = ""]) => file);
  expect(listed.length).toBeGreaterThan(60);
  expect(read("llms-full.txt")).toContain("# Getting started");
});

/** A page of the site, and what it requested from elsewhere, and its errors. */
async function open(
  path: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; foreign: string[]; errors: string[] }> {
  const origin = `http://127.0.0.1:${portOf(server)}`;
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const foreign: string[] = [];
  const errors: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("data:")) foreign.push(request.url());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(`${origin}${path}`, { waitUntil: "networkidle" });
  return { page, foreign, errors };
}

test("no page requests anything from another origin", async () => {
  for (const path of ["/", "/guides/getting-started", "/api/client", "/source/examples/express.js"]) {
    const { page, foreign, errors } = await open(path);
    expect([path, foreign, errors]).toEqual([path, [], []]);
    expect(await page.title()).toContain("Spillway");
  }
  // Those that are not opened here.
  for (const page of files(".html")) {
    const loaded = Array.from(read(page).matchAll(/<(?:link|script|img)\s[^>]*?(?:href|src)="(https?:[^"]*)"/g));
    expect([page, loaded.map(([, url]) => url)]).toEqual([page, []]);
  }
  for (const sheet of files(".css"))
    expect([sheet, /url\(["']?(?:https?:)?\/\//.test(read(sheet))]).toEqual([sheet, false]);
});

test("the search finds a page by its text, on the reader's machine", async () => {
  const { page, foreign } = await open("/overview");
  await page.keyboard.press("Control+k");
  await page.locator("#localsearch-input").fill("upstream-content-type");
  await page.locator('.VPLocalSearchBox .result[href*="/reference/errors"]').first().click();
  await vi.waitUntil(() => page.url().includes("/reference/errors"));
  expect(foreign).toEqual([]);
});

test("a page can be copied as Markdown", async () => {
  const { page } = await open("/concepts/delivery");
  await page.getByRole("button", { name: "Copy as Markdown" }).click();
  await page.getByRole("status").getByText("Copied").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(read("concepts/delivery.md"));
  expect(copied).toMatch(/^# /);
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([
    ["the home page", "/"],
    ["a guide", "/guides/resumable-llm-streams"],
    ["a page of tables", "/comparison"],
    ["the reference of the configuration", "/reference/config"],
    ["the reference of an entry point", "/api/client"],
  ])("axe finds nothing on %s, which does not scroll sideways at 360 px", async (_, path) => {
    const { page } = await open(path, { colorScheme });
    await expectAccessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    await expectNoSidewaysScroll(page);
    await expectAccessible(page);
  });
});
