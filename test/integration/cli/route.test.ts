import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createKey, hashKey } from "../../../src/access/keys.ts";
import { patience } from "../../support/patience.ts";
import { runCli, startServe, withDirectory } from "./cli.ts";

interface Seen {
  readonly by: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** A server that answers with the request that it got. */
async function startOrigin(by: string): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ by, url: request.url, headers: request.headers }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  afterAll(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const [first, second] = [await startOrigin("first"), await startOrigin("second")];

async function ask(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Seen> {
  const response = await fetch(url, { headers });
  expect(response.status).toBe(200);
  return (await response.json()) as Seen;
}

async function refusal(url: string, headers: Readonly<Record<string, string>> = {}): Promise<[number, string, string]> {
  const response = await fetch(url, { headers });
  const { code, detail } = (await response.json()) as { code: string; detail: string };
  return [response.status, code, detail];
}

const bearer = (key: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${key}` });

describe("--route", { timeout: patience }, () => {
  test.each([1, 2])("forwards requests without a file and without a database, with %i workers", (workers) =>
    withDirectory(async (cwd) => {
      const args = [
        "--route",
        `/events/**=\${FIRST},${second}`,
        "--route",
        `/other=${second}`,
        "--workers",
        `${workers}`,
      ];
      const cli = await startServe(args, { cwd, env: { FIRST: first } });
      try {
        expect(cli.stdout()).toContain('"routes":["/events/**","/other"]');
        const seen = [await ask(`${cli.url}/events/a?b=c`), await ask(`${cli.url}/events/a`)];
        const served = await Promise.all(Array.from({ length: 8 }, () => ask(`${cli.url}/events/a`)));
        expect(seen[0]!.url).toBe("/events/a?b=c");
        expect(new Set(served.map(({ by }) => by))).toEqual(new Set(["first", "second"]));
        expect((await ask(`${cli.url}/other`)).by).toBe("second");
        expect((await fetch(`${cli.url}/elsewhere`)).status).toBe(404);
        expect(existsSync(join(cwd, "spillway.db"))).toBe(false);
      } finally {
        cli.child.kill("SIGTERM");
      }
      expect((await cli.result).code).toBe(0);
    }),
  );

  test("can be given by a variable", async () => {
    const { stdout } = await runCli(["check"], {
      env: { SPILLWAY_ROUTE: "/a=http://a:1 /b/**=http://b:1,http://c:1" },
    });
    expect(stdout).toContain("  /a:\n    upstream:\n      url: http://a:1/\n");
    expect(stdout).toContain("  /b/**:\n    upstream:\n      urls:\n        - url: http://b:1/\n");
  });

  test.each([
    ["/a", 2, "Expected <path>=<url>[,<url>]"],
    ["/a=ftp://a", 1, "--route: routes./a.upstream.url: expected an http:// or https:// URL"],
    ["/a=${NOPE}", 1, "--route: routes./a: the environment variable NOPE is not set"],
    ["/streams/a=http://a", 1, "--route: routes./streams/a: expected a path that the gateway does not answer itself"],
    ["/a=http://a /a=http://b", 2, "The path /a is given twice."],
  ])("%s is refused", async (route, code, message) => {
    const result = await runCli(["check", "--route", route]);
    expect(result.code).toBe(code);
    expect(result.stderr).toContain(message);
  });
});

describe("routes of a file", { timeout: patience }, () => {
  const keys = { all: createKey(), feeds: createKey(), reader: createKey() };

  const yaml = `
access:
  keys:
    - { name: all, hash: "${hashKey(keys.all)}", can: [proxy] }
    - { name: feeds, hash: "${hashKey(keys.feeds)}", can: [proxy], routes: ["/feeds/*"] }
    - { name: reader, hash: "${hashKey(keys.reader)}" }
routes:
  /api/**: { upstream: { url: "${first}/base" }, path: { strip: /api } }
  /feeds/*: { upstream: { url: "${first}" }, credential: { set: "Bearer \${TARGET_KEY}" } }
  /kept: { upstream: { url: "${first}" }, credential: keep }
  /open: { upstream: { url: "${first}" }, access: none }
`;

  test("are for callers with the right, and the target gets the credential that the route says", () =>
    withDirectory(async (cwd) => {
      await writeFile(join(cwd, "spillway.yaml"), yaml);
      const cli = await startServe([], { cwd, env: { TARGET_KEY: "hunter2" } });
      try {
        const api = `${cli.url}/api/a`;
        expect(await refusal(api)).toEqual([401, "credential-required", 'this needs the right "proxy"']);
        expect((await refusal(api, bearer(createKey())))[0]).toBe(401);
        const denied = [403, "access-denied", 'this needs the right "proxy" for the route (config: access)'];
        expect(await refusal(api, bearer(keys.reader))).toEqual(denied);
        expect(await refusal(api, bearer(keys.feeds))).toEqual(denied);

        const dropped = await ask(api, bearer(keys.all));
        expect([dropped.url, dropped.headers.authorization]).toEqual(["/base/a", undefined]);
        const replaced = await ask(`${cli.url}/feeds/a`, bearer(keys.feeds));
        expect(replaced.headers.authorization).toBe("Bearer hunter2");
        const kept = await ask(`${cli.url}/kept`, bearer(keys.all));
        expect(kept.headers.authorization).toBe(`Bearer ${keys.all}`);
        const open = await ask(`${cli.url}/open`, bearer("of-the-target"));
        expect(open.headers.authorization).toBe("Bearer of-the-target");
      } finally {
        cli.child.kill("SIGTERM");
      }
      await cli.result;
    }));

  test("change with a reload", () =>
    withDirectory(async (cwd) => {
      const file = join(cwd, "spillway.yaml");
      const write = (path: string, target: string): Promise<void> =>
        writeFile(file, `routes:\n  ${path}: { upstream: { url: "${target}" } }\n`);
      await write("/a", first);
      const cli = await startServe([], { cwd });
      try {
        expect((await ask(`${cli.url}/a`)).by).toBe("first");
        await write("/b", second);
        cli.child.kill("SIGHUP");
        await cli.until(({ stdout }) => stdout().includes("configuration applied"));
        expect((await ask(`${cli.url}/b`)).by).toBe("second");
        expect((await fetch(`${cli.url}/a`)).status).toBe(404);
      } finally {
        cli.child.kill("SIGTERM");
      }
      await cli.result;
    }));

  test("are printed by check without their secrets", () =>
    withDirectory(async (cwd) => {
      await writeFile(join(cwd, "spillway.yaml"), yaml);
      const { stdout } = await runCli(["check"], { cwd, env: { TARGET_KEY: "hunter2" } });
      expect(stdout).toContain("/feeds/*:");
      expect(stdout).toContain('credential:\n      set: "***"');
      expect(stdout).not.toContain("hunter2");
    }));
});
