import { createHmac, generateKeyPairSync, randomUUID, sign as signWith } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sign as signAsGitHub } from "@octokit/webhooks-methods";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Stripe } from "stripe";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import {
  createGateway,
  SpillwayError,
  type ErrorCode,
  type Gateway,
  type GatewayConfig,
  type WebhookConfig,
} from "spillway";
import type { Log } from "spillway/log";
import { createMemoryStore } from "spillway/memory";
import { doors, leastDoors, type Door, type DoorKind } from "../support/doors.ts";
import { openGateway, openWorkers, type Opened, type RemoteGateway } from "../support/gateways.ts";

/** Webhooks as their senders sign them: with the senders' own libraries where there is one for Node. */

let opened: Opened<RemoteGateway> | undefined;

afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

const secret = "It's a secret";
const standardSecret = `whsec_${Buffer.from("0123456789abcdef01234567").toString("base64")}`;

type Headers = Readonly<Record<string, string>>;

/** A sender: its configuration, its body, and the headers with which it sends a body at a time. */
interface Sender {
  readonly webhook: WebhookConfig;
  readonly body: string;
  /** `at`: seconds since 1970. `by`: the secret. */
  readonly headers: (body: string, at: number, by: string) => Headers | Promise<Headers>;
  readonly secret: string;
  /** The stored event. */
  readonly event: string;
  readonly id: string | null;
  /** Whether the time is signed. */
  readonly timed: boolean;
}

function hmac(content: string, by: string, encoding: "hex" | "base64", algorithm = "sha256"): string {
  return createHmac(algorithm, by).update(content).digest(encoding);
}

const senders: Readonly<Record<Exclude<WebhookConfig["scheme"], "none">, Sender>> = {
  standard: {
    webhook: { scheme: "standard", secret: standardSecret },
    secret: standardSecret,
    body: '{"type":"invoice.paid","data":{"id":1}}',
    headers: (body, at, by) => ({
      "webhook-id": "msg_1",
      "webhook-timestamp": String(at),
      "webhook-signature": new StandardWebhook(by).sign("msg_1", new Date(at * 1000), body),
    }),
    event: "invoice.paid",
    id: "msg_1",
    timed: true,
  },
  github: {
    webhook: { scheme: "github", secret },
    secret,
    body: '{\n  "action": "opened",\n  "title": "Größe"\n}',
    headers: async (body, _, by) => ({
      "x-github-event": "issues",
      "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
      "x-hub-signature-256": await signAsGitHub(by, body),
    }),
    event: "issues",
    id: "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    timed: false,
  },
  stripe: {
    webhook: { scheme: "stripe", secret },
    secret,
    body: '{"id":"evt_1","type":"charge.succeeded"}',
    headers: (payload, timestamp, by) => ({
      "stripe-signature": Stripe.webhooks.generateTestHeaderString({ payload, secret: by, timestamp }),
    }),
    event: "charge.succeeded",
    id: "evt_1",
    timed: true,
  },
  slack: {
    webhook: { scheme: "slack", secret },
    secret,
    body: '{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}',
    headers: (body, at, by) => ({
      "x-slack-request-timestamp": String(at),
      "x-slack-signature": `v0=${hmac(`v0:${at}:${body}`, by, "hex")}`,
    }),
    event: "message",
    id: "Ev1",
    timed: true,
  },
  shopify: {
    webhook: { scheme: "shopify", secret },
    secret,
    body: '{"id":820982911946154508}',
    headers: (body, _, by) => ({
      "x-shopify-topic": "orders/create",
      "x-shopify-webhook-id": "b54557e4",
      "x-shopify-hmac-sha256": hmac(body, by, "base64"),
    }),
    event: "orders/create",
    id: "b54557e4",
    timed: false,
  },
  hmac: {
    webhook: {
      scheme: "hmac",
      secret,
      header: "X-Signature",
      algorithm: "sha512",
      encoding: "base64",
      prefix: "v1=",
      timestamp: "X-Time",
      event: "/kind",
    },
    secret,
    body: '{"kind":"finished"}',
    headers: (body, at, by) => ({
      "x-time": String(at * 1000),
      "x-signature": `v1=${hmac(`${at * 1000}.${body}`, by, "base64", "sha512")}`,
    }),
    event: "finished",
    id: null,
    timed: true,
  },
};

async function open(webhook: WebhookConfig, config: Partial<GatewayConfig> = {}, kind?: DoorKind): Promise<Door> {
  const whole = { streams: { s: { webhook } }, ...config };
  opened = await openGateway("memory", kind ?? leastDoors[0]!, whole);
  return opened.door;
}

function post(door: Door, body: string, headers: Headers): Promise<Response> {
  return door.request("/webhooks/s", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
}

/** What a test sends instead of what the sender would. */
interface Change {
  readonly body?: string;
  readonly at?: number;
  readonly by?: string;
  readonly headers?: Headers;
}

/** Sends a body as the sender does. */
async function send(
  door: Door,
  sender: Sender,
  { body = sender.body, at = now(), by = sender.secret, headers = {} }: Change = {},
): Promise<Response> {
  return post(door, body, { ...(await sender.headers(body, at, by)), ...headers });
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

interface Stored {
  readonly event: string;
  readonly channel: string | null;
  readonly upstreamId: string | null;
  readonly data: string;
}

async function stored(door: Door): Promise<Stored[]> {
  const headers = { accept: "application/json" };
  const response = await door.request("/streams/s?after=earliest", { headers });
  const { events } = (await response.json()) as { events: Stored[] };
  return events.map(({ event, channel, upstreamId, data }) => ({ event, channel, upstreamId, data }));
}

async function outcome(response: Response): Promise<unknown> {
  const text = await response.text();
  return [response.status, text === "" ? "" : (JSON.parse(text) as { code?: string }).code];
}

describe.each(Object.entries(senders))("%s", (_, sender) => {
  test("a webhook with a valid signature is stored once, as it was sent", async () => {
    const door = await open(sender.webhook);
    const at = now();
    const first = await send(door, sender, { at });
    expect([first.status, await first.text(), first.headers.get("idempotency-replayed")]).toEqual([200, "", null]);
    const repeated = await Promise.all(Array.from({ length: 5 }, () => send(door, sender, { at })));
    expect(repeated.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(repeated.map(({ headers }) => headers.get("idempotency-replayed"))).toEqual(Array(5).fill("true"));
    const { event, id, body } = sender;
    expect(await stored(door)).toEqual([{ event, channel: null, upstreamId: id, data: body }]);
  });

  test("a forged, missing or malformed signature is refused, and nothing is stored", async () => {
    const door = await open(sender.webhook);
    const good = await sender.headers(sender.body, now(), sender.secret);
    const other = sender.webhook.scheme === "standard" ? `whsec_${Buffer.alloc(24).toString("base64")}` : "other";
    const without = Object.keys(good).map((name) =>
      Object.fromEntries(Object.entries(good).filter(([key]) => key !== name)),
    );
    const attempts = [
      await send(door, sender, { by: other }),
      // The signature of another body.
      await post(door, sender.body.replace("{", "{ "), good),
      await post(door, `${sender.body}\n`, good),
      ...(await Promise.all(
        without.filter((headers) => !isComplete(sender, headers)).map((headers) => post(door, sender.body, headers)),
      )),
      ...(await Promise.all(
        Object.entries(good)
          .filter(([name]) => name.includes("signature") || name.includes("hmac"))
          .flatMap(([name, value]) =>
            [value.slice(0, -4), `${value}!`, "", "=", ",,,", value.repeat(20)].map((bad) => ({ [name]: bad })),
          )
          .map((bad) => post(door, sender.body, { ...good, ...bad })),
      )),
    ];
    for (const response of attempts) {
      expect(response.headers.get("www-authenticate")).toBe('Signature realm="spillway"');
      expect(await outcome(response)).toEqual([401, "signature-invalid"]);
    }
    expect(await stored(door)).toEqual([]);
  });

  test("either of two secrets may have signed", async () => {
    const next = sender.webhook.scheme === "standard" ? `whsec_${Buffer.alloc(32, 1).toString("base64")}` : "next";
    const door = await open({ ...sender.webhook, secret: [next, sender.secret] });
    expect((await send(door, sender)).status).toBe(200);
    expect((await send(door, sender, { by: next })).status).toBe(200);
  });
});

test.each(Object.values(senders).filter(({ timed }) => timed))(
  "a $webhook.scheme signature of a time too long ago or in the future is refused",
  async (sender) => {
    const door = await open({ ...sender.webhook, tolerance: "1m" });
    for (const at of [now() - 100, now() + 100]) {
      expect(await outcome(await send(door, sender, { at }))).toEqual([401, "signature-expired"]);
    }
    expect((await send(door, sender, { at: now() - 30 })).status).toBe(200);
  },
);

/** Whether headers are still enough for the signature. */
function isComplete({ webhook: { scheme } }: Sender, headers: Headers): boolean {
  if (scheme === "github") return "x-hub-signature-256" in headers;
  return scheme === "shopify" && "x-shopify-hmac-sha256" in headers;
}

describe.each([...doors, undefined])("through $name", (kind) => {
  test("the bytes of a webhook arrive as they were signed, and repeated ones are stored once", async () => {
    const config = { streams: { s: { webhook: senders.stripe.webhook } } };
    if (kind) await open(senders.stripe.webhook, {}, kind);
    else opened = await openWorkers(config);
    const { door } = opened!;
    const body = `\r\n{ "id": "evt_1",\t"type": "a", "amount": 1.50, "text": "\u{1F600} ${"ä".repeat(50_000)}" }`;
    const answers = await Promise.all([1, 2, 3, 4].map((n) => send(door, senders.stripe, { body, at: now() - n })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await stored(door)).toEqual([{ event: "a", channel: null, upstreamId: "evt_1", data: body }]);
    expect(await outcome(await send(door, senders.stripe, { by: "other" }))).toEqual([401, "signature-invalid"]);
    expect((await door.request("/webhooks/s")).status).toBe(405);
  });
});

test("deliveries without an id are told apart by their time and body", async () => {
  const door = await open(senders.hmac.webhook);
  const at = now();
  for (const [time, body] of [
    [at, "{}"],
    [at, "{}"],
    [at - 1, "{}"],
    [at, "{ }"],
  ] as const)
    expect((await send(door, senders.hmac, { at: time, body })).status).toBe(200);
  expect((await stored(door)).map(({ data }) => data)).toEqual(["{}", "{}", "{ }"]);
});

test("without id and time, the body tells deliveries apart, and without a signature nothing does", async () => {
  const plain = { header: "x-signature", secret } as const;
  const door = await open({ scheme: "hmac", ...plain });
  const signed = { "x-signature": hmac("{}", secret, "hex").toUpperCase() };
  expect((await post(door, "{}", signed)).headers.get("idempotency-replayed")).toBeNull();
  expect((await post(door, "{}", signed)).headers.get("idempotency-replayed")).toBe("true");
  expect(await stored(door)).toHaveLength(1);
  await opened!.close();
  const unsigned = await open({ scheme: "none" });
  expect((await post(unsigned, "{}", {})).status).toBe(200);
  expect((await post(unsigned, "{}", {})).status).toBe(200);
  expect(await stored(unsigned)).toHaveLength(2);
  expect(await outcome(await post(unsigned, "{}", { origin: "https://evil.example" }))).toEqual([403, "origin-denied"]);
});

test("Standard Webhooks may be signed with Ed25519, several times, and sent by Svix", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const door = await open({ scheme: "standard", secret: `whpk_${raw.toString("base64")}` });
  const [at, body] = [now(), "{}"];
  const signature = signWith(null, Buffer.from(`m.${at}.${body}`), privateKey).toString("base64");
  const sent = (name: string, list: string): Headers => ({
    [`${name}-id`]: "m",
    [`${name}-timestamp`]: String(at),
    [`${name}-signature`]: list,
  });
  expect(
    (await post(door, body, sent("svix", `v1,${Buffer.alloc(32).toString("base64")} v1a,${signature}`))).status,
  ).toBe(200);
  expect((await post(door, body, sent("webhook", `v1a,${signature}`))).headers.get("idempotency-replayed")).toBe(
    "true",
  );
  // What only claims to be the other version.
  expect(await outcome(await post(door, body, sent("webhook", `v1,${signature}`)))).toEqual([401, "signature-invalid"]);
  expect(await outcome(await post(door, "[]", sent("webhook", `v1a,${signature}`)))).toEqual([
    401,
    "signature-invalid",
  ]);
});

test("Slack's challenge is answered after its signature was checked", async () => {
  const door = await open(senders.slack.webhook);
  const body = '{"type":"url_verification","challenge":"3eZbrw1a","token":"x"}';
  const answer = await send(door, senders.slack, { body });
  expect([answer.status, await answer.json()]).toEqual([200, { challenge: "3eZbrw1a" }]);
  expect(await outcome(await send(door, senders.slack, { body, by: "other" }))).toEqual([401, "signature-invalid"]);
  expect(await stored(door)).toEqual([]);
});

test("a form is stored as JSON: its fields, or its payload", async () => {
  const door = await open(senders.slack.webhook);
  const headers = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
  const forms = [
    [
      "command=%2Fweather&text=Oslo+%26+R%C3%B8ros&tag=a&tag=b&__proto__=x",
      '{"command":"/weather","text":"Oslo & Røros","tag":["a","b"],"__proto__":"x"}',
    ],
    [`payload=${encodeURIComponent('{ "type": "block_actions" }')}`, '{ "type": "block_actions" }'],
  ] as const;
  for (const [body] of forms) expect((await send(door, senders.slack, { body, headers })).status).toBe(200);
  expect((await stored(door)).map(({ event, data }) => [event, data])).toEqual([
    ["message", forms[0][1]],
    ["block_actions", forms[1][1]],
  ]);
});

test("type, channel, id and data come from where the configuration says", async () => {
  const door = await open({
    scheme: "none",
    event: ["header:X-Kind", "/kind"],
    channel: "/user/id",
    id: "/n",
    data: ["/new", "/old"],
  });
  const bodies: ReadonlyArray<[body: string, headers: Headers]> = [
    ['{"kind":"a","user":{"id":42},"n":1,"new":{"x":1}}', {}],
    ['{"kind":"a","n":2,"old":"text"}', { "x-kind": "b" }],
    ['{"kind":null,"n":2,"old":"the same id"}', {}],
    ['{"kind":"","n":"","old":null}', { "x-kind": "" }],
  ];
  for (const [body, headers] of bodies) expect((await post(door, body, headers)).status).toBe(200);
  expect(await stored(door)).toEqual([
    { event: "a", channel: "42", upstreamId: "1", data: '{"x":1}' },
    { event: "b", channel: null, upstreamId: "2", data: "text" },
    { event: "message", channel: null, upstreamId: null, data: "null" },
  ]);
});

test("a webhook that cannot be an event is refused with the reason", async () => {
  const door = await open({ scheme: "none", event: "/type", id: "/id", data: "/data" }, { limits: { body: 1000 } });
  const cases: ReadonlyArray<[body: string, headers: Headers, status: number, code: string, field?: string]> = [
    ["{", {}, 400, "request-invalid", "body"],
    ["", {}, 400, "request-invalid", "body"],
    ["{}", {}, 400, "request-invalid", "body"],
    ['{"data":1,"type":"spillway.gap"}', {}, 400, "request-invalid", "webhook.event"],
    ['{"data":1,"type":"a,b"}', {}, 400, "request-invalid", "webhook.event"],
    [`{"data":1,"id":"${"x".repeat(600)}"}`, {}, 400, "request-invalid", "webhook.id"],
    ["{}", { "content-type": "text/plain" }, 415, "media-type-unsupported", "Content-Type"],
    ["payload=%7B", { "content-type": "application/x-www-form-urlencoded" }, 400, "request-invalid", "body"],
    [`{"data":"${"x".repeat(1000)}"}`, {}, 413, "body-too-large"],
  ];
  for (const [body, headers, status, code, field] of cases) {
    const response = await post(door, body, headers);
    expect([response.status, await response.json()]).toMatchObject([
      status,
      { code, ...(field !== undefined && { field }) },
    ]);
  }
  const binary = new Response(new Uint8Array([0x22, 0xff, 0x22])).body!;
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: binary,
    duplex: "half",
  } as const;
  expect(await outcome(await door.request("/webhooks/s", init))).toEqual([400, "request-invalid"]);
  expect(await stored(door)).toEqual([]);
});

test("only streams with webhooks have the path, and routes keep the rest of it", async () => {
  const door = await open(senders.github.webhook, { streams: { s: { webhook: senders.github.webhook }, other: {} } });
  for (const path of ["/webhooks/other", "/webhooks/nothing", "/webhooks", "/webhooks/s/x"])
    expect((await door.request(path, { method: "POST", body: "{}" })).status).toBe(404);
});

describe("wrong signatures", () => {
  const address = (from: string): Headers => ({ "x-forwarded-for": from });
  const config = { trustProxy: ["127.0.0.0/8"], limits: { failedCredentials: "3/1m" } };

  test("block their address, however often the same one is sent", async () => {
    const door = await open(senders.github.webhook, config);
    const forge = (from: string): Promise<Response> =>
      send(door, senders.github, { by: "other", headers: address(from) });
    for (let n = 0; n < 3; n++) expect((await forge("192.0.2.1")).status).toBe(401);
    const blocked = await forge("192.0.2.1");
    expect(blocked.status).toBe(429);
    expect(Number(blocked.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await send(door, senders.github, { headers: address("192.0.2.1") })).status).toBe(429);
    expect((await send(door, senders.github, { headers: address("192.0.2.2") })).status).toBe(200);
  });

  test("do not block an address from which valid ones came", async () => {
    const door = await open(senders.github.webhook, config);
    const headers = { ...address("192.0.2.1"), "x-github-delivery": "1" };
    expect((await send(door, senders.github, { headers })).status).toBe(200);
    for (let n = 0; n < 5; n++) expect((await send(door, senders.github, { by: "other", headers })).status).toBe(401);
    const next = { ...headers, "x-github-delivery": "2" };
    expect((await send(door, senders.github, { headers: next })).status).toBe(200);
  });

  test("are counted, and the answers and metrics do not contain a secret", async () => {
    const door = await open(senders.stripe.webhook);
    const answers = [
      await send(door, senders.stripe, { by: "other" }),
      await send(door, senders.stripe, { at: now() - 1000 }),
    ];
    const metrics = await (await door.request("/metrics")).text();
    expect(metrics).toContain('spillway_requests_refused_total{code="signature-invalid"} 1');
    expect(metrics).toContain('spillway_requests_refused_total{code="signature-expired"} 1');
    const all = [metrics, ...(await Promise.all(answers.map((response) => response.text())))].join("");
    expect(all).not.toContain(secret);
    expect(all).not.toContain(hmac("", secret, "hex"));
  });
});

test("a reload changes the secret, and the rate of publishing counts for webhooks", async () => {
  const github = (by: string): GatewayConfig["streams"] => ({ s: { webhook: { scheme: "github", secret: by } } });
  const limits = { publishRate: "2/1h" };
  const gateway = await openGateway("memory", leastDoors[0]!, { streams: github(secret), limits }, () => ({
    streams: github("new"),
  }));
  opened = gateway;
  const { door } = gateway;
  const deliver = (by: string): Promise<Response> =>
    send(door, senders.github, { by, headers: { "x-github-delivery": randomUUID() } });
  expect((await deliver(secret)).status).toBe(200);
  await gateway.gateway.reload();
  expect((await deliver(secret)).status).toBe(401);
  expect((await deliver("new")).status).toBe(200);
  expect(await outcome(await deliver("new"))).toEqual([429, "rate-limited"]);
});

describe("200 means that the event is durable", () => {
  test("while the store cannot be written, the sender is told to come back, and its delivery is stored once", async () => {
    const memory = createMemoryStore();
    const failures: ErrorCode[] = ["store-unavailable", "append-unknown"];
    const gateway = await createGateway(
      { store: { ...memory, open: async (...args) => failing(await memory.open(...args), failures) }, ...config },
      { logger: false },
    );
    onTestFinished(() => gateway.close());
    const door = fetchDoor(gateway);
    for (const code of ["store-unavailable", "append-unknown"]) {
      const refused = await send(door, senders.github);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await outcome(refused)).toEqual([503, code]);
    }
    const repeated = await send(door, senders.github);
    // The append whose outcome was unknown had succeeded.
    expect([repeated.status, repeated.headers.get("idempotency-replayed")]).toEqual([200, "true"]);
    expect(await stored(door)).toHaveLength(1);
  });

  test("a delivery that is repeated after a restart is stored once", async () => {
    const folder = await mkdtemp(join(tmpdir(), "spillway-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    for (const replayed of [null, "true"]) {
      const gateway = await createGateway({ store: `sqlite:${folder}/log.db`, ...config });
      const door = fetchDoor(gateway);
      expect((await send(door, senders.github)).headers.get("idempotency-replayed")).toBe(replayed);
      expect(await stored(door)).toHaveLength(1);
      await gateway.close();
    }
  });

  const config = { streams: { s: { webhook: senders.github.webhook } } };

  function fetchDoor(gateway: Gateway): Door {
    const request: Door["request"] = (path, init) => gateway.fetch(new Request(`http://gateway.test${path}`, init));
    return { name: "fetch", request, close: async () => {} };
  }

  /** Makes the next appends of a log fail with these codes. One with an unknown outcome succeeds nevertheless. */
  function failing(log: Log, failures: ErrorCode[]): Log {
    const append = log.append.bind(log);
    return Object.assign(log, {
      async append(...args: Parameters<Log["append"]>) {
        // The gateway probes a store that has failed with empty appends.
        const code = args[0].length === 0 ? undefined : failures.shift();
        if (code === "append-unknown") await append(...args);
        if (code !== undefined) throw new SpillwayError(code);
        return append(...args);
      },
    });
  }
});
