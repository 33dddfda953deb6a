import { afterEach, expect, test } from "vitest";
import { createGateway, type AccessConfig, type Gateway } from "spillway";
import { bearer, jwtSecret, makeKey, makeToken } from "../../support/credentials.ts";
import { read } from "../../support/reader.ts";

/** A grant of channels that includes events without a channel, for every kind of credential. */

let gateway: Gateway;
afterEach(() => gateway.close());

const granted = { channels: ["user:ada"], broadcast: true };
const key = makeKey("web", granted);
const jwt = { secret: jwtSecret };

interface Case {
  readonly title: string;
  readonly access: AccessConfig;
  readonly headers?: Readonly<Record<string, string>>;
}

const cases: readonly Case[] = [
  { title: "anonymous", access: { anonymous: { can: ["subscribe"], ...granted } } },
  { title: "a key", access: { keys: [key.config] }, headers: bearer(key.key) },
  { title: "a token", access: { jwt }, headers: bearer(makeToken({ spillway: granted })) },
  {
    title: "every token",
    access: { jwt: { ...jwt, can: ["subscribe"], broadcast: true, claims: { channels: "claim:sub → user:{}" } } },
    headers: bearer(makeToken({ sub: "ada" })),
  },
  { title: "a function", access: { authorize: () => granted } },
];

async function start(access: AccessConfig, next: AccessConfig = access): Promise<void> {
  const config = { store: "memory:", streams: { s: {} } };
  gateway = await createGateway({ ...config, access }, { readConfig: () => ({ ...config, access: next }) });
}

const open = (headers: Case["headers"]): Promise<Response> =>
  gateway.fetch(new Request("http://gateway.test/streams/s?after=earliest", { headers: headers ?? {} }));

const publish = (): Promise<string[]> =>
  gateway.publish("s", [
    { data: "mine", channel: "user:ada" },
    { data: "hidden", channel: "user:ben" },
    { data: "everyone" },
  ]);

test.each(cases)("$title delivers events without a channel, replayed and live", async ({ access, headers }) => {
  await start(access);
  await publish();
  const reading = read(await open(headers));
  await reading.until(() => reading.data().length === 2);
  // Alone: nothing else wakes the subscriber.
  await gateway.publish("s", { data: "live" });
  await reading.until(() => reading.data().length === 3);
  expect(reading.data()).toEqual(["mine", "everyone", "live"]);
  await reading.cancel();
});

test("a subscriber that loses this grant by a reload is disconnected, and does not get such events afterwards", async () => {
  await start({ keys: [key.config] }, { keys: [{ ...key.config, broadcast: false }] });
  const reading = read(await open(bearer(key.key)));
  await gateway.reload();
  await reading.until(() => reading.controls("spillway.bye").length === 1);
  expect(reading.controls("spillway.bye")[0]).toMatchObject({ reason: "revoked" });
  await publish();
  const again = read(await open(bearer(key.key)));
  await again.until(() => again.data().length === 1);
  expect(again.data()).toEqual(["mine"]);
  await again.cancel();
});

test("a value that is not a boolean grants nothing more", async () => {
  const wrong = { channels: ["user:ada"], broadcast: "yes" } as unknown as typeof granted;
  await start({ jwt });
  await publish();
  const reading = read(await open(bearer(makeToken({ spillway: wrong }))));
  await reading.until(() => reading.data().length === 1);
  expect(reading.data()).toEqual(["mine"]);
  await reading.cancel();
  await gateway.close();
  await start({ authorize: () => wrong });
  expect((await open({})).status).toBe(503);
});
