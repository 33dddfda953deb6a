/**
 * Runs the shell blocks of the documentation: in bash, in a folder of their own, with nothing on the path but what is named here. The
 * addresses of the pages lead to a gateway and a source of the test.
 */
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createGateway, type GatewayConfig, type WebhookConfig } from "../../src/index.ts";
import { makeKey } from "./credentials.ts";
import { docFiles, root } from "./doc-blocks.ts";
import { portOf } from "./ports.ts";
import { findProgram } from "./programs.ts";

export interface DocShell {
  /** Runs a block; rejects with what was printed if a command of it fails. */
  run(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Programs of the machine that a block may use. */
const programs = "cat chmod cp date dd echo grep head jq mkdir mv openssl printf rm sleep sqlite3".split(" ");

/** The streams that the pages use. */
const streams = ["prices", "chat", "events", "market"];

/** The streams that the guide to webhooks sends to. */
const webhooks: Readonly<Record<string, WebhookConfig>> = {
  invoices: { scheme: "standard", secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3" },
  github: { scheme: "github", secret: "github-secret" },
  payments: { scheme: "stripe", secret: "stripe-secret" },
  slack: { scheme: "slack", secret: "slack-secret" },
  orders: { scheme: "shopify", secret: "shopify-secret" },
  builds: {
    scheme: "hmac",
    secret: "builds-secret",
    header: "x-signature",
    algorithm: "sha512",
    encoding: "base64",
    prefix: "v1=",
    timestamp: "x-timestamp",
  },
  local: { scheme: "none" },
};

const main = join(root, "dist/cli/main.js");

/** Waits until a program has printed a text, then ends it; what serves does not end by itself. Gives up when the test has removed the folder. */
const untilPrinted = `until_printed() {
  local text=$1 said; said=$(mktemp -p "$SCRATCH"); shift
  "$@" >"$said" 2>&1 & local pid=$!
  until grep -q "$text" "$said"; do
    kill -0 $pid 2>/dev/null || { cat "$said"; return 1; }
    [ -e "$said" ] || { kill -TERM $pid; return 1; }
    sleep 0.05
  done
  kill -TERM $pid; wait $pid
}`;

/** Commands that are replaced in the test. */
const shims: Readonly<Record<string, string>> = {
  spillway: `${untilPrinted}
case $1 in
  serve) until_printed '"listening"' '${process.execPath}' '${main}' "$@" ;;
  deliveries) exec '${process.execPath}' '${main}' "$@" --server "$GATEWAY" ;;
  tail) exec '${process.execPath}' '${main}' "$@" --count 1 ;;
  doctor) exec '${process.execPath}' '${main}' "$@" $([[ $* == *http* ]] && echo --idle 100ms) ;;
  *) exec '${process.execPath}' '${main}' "$@" ;;
esac`,
  npx: `[ "$1" = spillway ] || { echo "npx $1: only npx spillway is checked"; exit 1; }; shift; exec spillway "$@"`,
  // That they work is what CI shows, also that every benchmark runs; here, it only reads its flags.
  npm: `name=$1; [ "$1" = run ] && name=$2; folder=.
[ "$name" = bench ] && PATH=/usr/bin:/bin exec '${process.execPath}' '${join(root, "bench/run.js")}' "\${@:4}" --list
for ((i = 1; i < $#; i++)); do [ "\${!i}" = --prefix ] && { j=$((i + 1)); folder=\${!j}; }; done
case $1 in ci|cit|i|install|pack) ;; *) jq -e ".scripts[\\"$name\\"]" "${root}/$folder/package.json" >/dev/null ;; esac`,
  node: `${untilPrinted}
until_printed http '${process.execPath}' "$@"; [ $? -le 143 ]`,
  // A stream does not end: its first line is enough.
  curl: `real() { '${findProgram("curl") ?? "curl"}' -sS --fail-with-body --max-time 20 "$@"; }
case " $* " in
  *" -N "*) exec 3< <(real "$@"); pid=$!; IFS= read -r line <&3 && kill $pid && echo "$line" ;;
  *) real "$@" ;;
esac`,
  // A group that everyone is a member of: their own.
  chgrp: `exec '${findProgram("chgrp")}' "$('${findProgram("id")}' -gn)" "\${@:2}"`,
  // A program of the reader's own.
  producer: `echo '{"data":"from a producer"}'`,
};

/** Starts the gateway and the source that the blocks use. */
export async function startDocShell(): Promise<DocShell> {
  const scratch = mkdtempSync(join(tmpdir(), "spillway-docs-"));
  const source = await startSource();
  const { key, config } = makeKey("docs", { can: ["subscribe", "publish", "admin"] });
  const gatewayConfig: GatewayConfig = {
    listen: "127.0.0.1:0",
    streams: {
      ...Object.fromEntries(streams.map((name) => [name, {}])),
      ...Object.fromEntries(Object.entries(webhooks).map(([name, webhook]) => [name, { webhook }])),
    },
    deliveries: { billing: { stream: "chat", url: "http://127.0.0.1:9", allowPrivate: true, dead: "market" } },
    default: "events",
    store: "memory:",
    runs: { "/v1/**": { upstream: { url: `http://127.0.0.1:${portOf(source)}` }, dialect: "openai" } },
    access: { anonymous: ["subscribe", "publish", "admin", "proxy"], keys: [config] },
  };
  const gateway = await createGateway(gatewayConfig, { readConfig: () => gatewayConfig });
  const { port } = await gateway.listen();
  const publishing = setInterval(() => {
    const event = { event: "trade", channel: "btc-usd", data: { symbol: "btc-usd", price: 97_250 } };
    for (const stream of streams) void gateway.publish(stream, event);
  }, 100);
  const clients = new AbortController();
  const site: Site = {
    gateway: `http://127.0.0.1:${port}`,
    source: `http://127.0.0.1:${portOf(source)}`,
    key,
    ...(await idsOf(`http://127.0.0.1:${port}`, clients.signal)),
  };
  const bin = join(scratch, "bin");
  mkdirSync(bin);
  for (const [name, body] of Object.entries(shims)) {
    writeFileSync(join(bin, name), `#!/bin/bash\n${body}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  for (const name of [...programs, "bash", "mktemp"])
    symlinkSync(findProgram(name) ?? `/missing/${name}`, join(bin, name));
  linkPackages(scratch);
  await makeDatabase(scratch);
  return {
    run: (text) => runBlock(scratch, localised(text, site), site),
    async close() {
      clearInterval(publishing);
      clients.abort();
      source.close();
      source.closeAllConnections();
      await gateway.close();
      rmSync(scratch, { recursive: true });
    },
  };
}

interface Site {
  readonly gateway: string;
  readonly source: string;
  readonly key: string;
  /** The id of a connection, and of a run with one of its places, as the pages show others. */
  readonly client: string;
  readonly run: string;
  readonly place: string;
}

/** A source of events, which never end, and a model, whose answers do not end either. */
async function startSource(): Promise<Server> {
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (request.method === "GET") return response.write('id: 1\ndata: {"symbol":"btc-usd"}\n\n');
    const timer = setInterval(
      () => response.write('data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'),
      100,
    );
    return response.once("close", () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Follows a stream and begins a run. */
async function idsOf(url: string, signal: AbortSignal): Promise<Pick<Site, "client" | "run" | "place">> {
  const following = await fetch(`${url}/streams/chat`, { signal });
  const answer = await fetch(`${url}/v1/chat/completions`, { method: "POST", body: '{"stream":true}', signal });
  return {
    client: await firstMatch(following, /"client":"([\w-]+)"/),
    run: answer.headers.get("spillway-run")!,
    place: await firstMatch(answer, /^id: (\S+)/m),
  };
}

/** What a response has in the first place of that form. Reads on, as a client would. */
async function firstMatch(response: Response, pattern: RegExp): Promise<string> {
  const pieces = response.body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  for (let text = ""; ;) {
    const { value, done } = await pieces.next();
    if (done) throw new Error(`no ${pattern} in ${text}`);
    text += value;
    const [, found] = pattern.exec(text) ?? [];
    if (found === undefined) continue;
    void (async () => {
      while (!(await pieces.next()).done);
    })().catch(() => undefined);
    return found;
  }
}

/** The text with the addresses and the key of the test. */
function localised(text: string, { gateway, source, key, client, run, place }: Site): string {
  return text
    .replaceAll("nFNd6C4SDy-uAuXLWTuiIg", client)
    .replaceAll("1f-3pNqX0mYb7dQe2aZk9LwTg", run)
    .replaceAll("k3j9x2.412", place)
    .replaceAll(/https?:\/\/source\.example|http:\/\/127\.0\.0\.1:9090/g, source)
    .replaceAll(/https?:\/\/(?:127\.0\.0\.1:8080|localhost:8080|[\w-]+\.example(?::\d+)?)/g, gateway)
    .replaceAll(/spw_…|(?<=Bearer )…/g, key)
    .replaceAll("…", "secret")
    .replaceAll(/(?<=\w_PORT=)\d+/g, "0");
}

/** Runs the block with every variable that it refers to set to an address of the source or to the key. */
async function runBlock(scratch: string, text: string, { gateway, source, key }: Site): Promise<void> {
  const cwd = mkdtempSync(join(scratch, "block-"));
  copyFileSync(join(scratch, "spillway.db"), join(cwd, "spillway.db"));
  writeFileSync(join(cwd, "key.txt"), key);
  const definition = text.includes("spillway schema") ? "{ definition: ./prices.ts }" : "{}";
  for (const { name, text: module } of docFiles("docs/guides/typed-events.md")) writeFileSync(join(cwd, name), module);
  // `init` overwrites nothing.
  if (!text.includes("spillway init")) writeFileSync(join(cwd, "spillway.yaml"), `streams:\n  prices: ${definition}\n`);
  symlinkSync(join(root, "examples"), join(cwd, "examples"));
  const names = Array.from(text.matchAll(/\$\{?([A-Z]\w*)/g), ([, name = ""]) => name);
  const values = names.map((name) => [name, name.endsWith("URL") ? `${source}/events?api-key=secret` : key]);
  const env = {
    ...Object.fromEntries(values),
    PATH: join(scratch, "bin"),
    HOME: cwd,
    SCRATCH: cwd,
    GATEWAY: gateway,
    SPILLWAY_PORT: "0",
    SURFLUX_API_URL: source,
    SURFLUX_API_KEY: "secret",
  };
  try {
    const running = promisify(execFile)("/bin/bash", ["--norc", "-euo", "pipefail", "-c", text], { cwd, env });
    running.child.stdin?.end();
    await running;
  } catch (cause) {
    const { stdout, stderr, code } = cause as { stdout: string; stderr: string; code: number };
    throw new Error(`exit code ${code}\n${stdout}${stderr}`, { cause });
  }
}

/** What modules of the pages import, for every folder below. */
function linkPackages(folder: string): void {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/spillway"));
  symlinkSync(join(root, "node_modules/zod"), join(folder, "node_modules/zod"));
}

/** A log as `spillway serve` leaves it. */
async function makeDatabase(folder: string): Promise<void> {
  const gateway = await createGateway({ store: `sqlite:${folder}/spillway.db`, streams: { prices: {} } });
  await gateway.publish("prices", { event: "trade", data: "{}" });
  await gateway.close();
}
