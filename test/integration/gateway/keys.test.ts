import { createHash, scryptSync } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import type { GatewayConfig, KeyConfig } from "spillway";
import { bearer, jwtSecret, makeToken } from "../../support/credentials.ts";
import { doors, leastDoors, type DoorKind } from "../../support/doors.ts";
import { openGateway, type Opened } from "../../support/gateways.ts";

/** Existing keys, not in Spillway's format. */
const uuid = "0b0f6f0e-6c1f-4f3e-9a54-0d8f3f1f7d11";
const words = "correct-horse-battery-staple";
const jwtShaped = makeToken({ sub: "not-a-token-of-ours" }, "another-secret-0123456789abcdef0123456789");
const plain = "hunter2";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Formatted according to the PHC string format, without the tested code. */
function phc(secret: string, ln = 10): string {
  const salt = Buffer.from("0123456789abcdef");
  const hash = scryptSync(secret, salt, 32, { N: 2 ** ln, r: 8, p: 1 });
  const text = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");
  return `$scrypt$ln=${ln},r=8,p=1$${text(salt)}$${text(hash)}`;
}

const keys: KeyConfig[] = [
  { name: "plain", hash: `sha256:${sha256(uuid)}` },
  { name: "salted", hash: `sha256:s4lt.7:${sha256(`s4lt.7${words}`)}` },
  { name: "token-shaped", hash: `sha256:${sha256(jwtShaped)}` },
  { name: "slow", hash: phc(plain) },
  { name: "slow-token-shaped", hash: phc(jwtShaped.toLowerCase()) },
];
const secrets = { "plain": uuid, "salted": words, "token-shaped": jwtShaped, "slow": plain };

const cleanUps: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function open(
  kind: DoorKind,
  access: GatewayConfig["access"],
  change?: () => Partial<GatewayConfig>,
): Promise<Opened> {
  const opened = await openGateway("memory", kind, { streams: { s: {} }, access }, change);
  cleanUps.push(opened.close);
  return opened;
}

async function codeOf({ door }: Opened, headers: Readonly<Record<string, string>>): Promise<string> {
  const response = await door.request("/streams", { headers });
  return response.status === 200 ? "ok" : ((await response.json()) as { code: string }).code;
}

describe.each(doors)("through $name", (kind) => {
  test.each(Object.entries(secrets))(
    "an existing key is accepted by its hash, in either header: %s",
    async (_, secret) => {
      const opened = await open(kind, { keys, jwt: { secret: jwtSecret } });
      for (const headers of [bearer(secret), { "x-api-key": secret }]) {
        expect(await codeOf(opened, headers)).toBe("ok");
        expect(await codeOf(opened, headers)).toBe("ok");
      }
    },
  );

  test("a secret that matches no key is refused, and a token of the issuer is still accepted", async () => {
    const opened = await open(kind, { keys, jwt: { secret: jwtSecret } });
    const token = makeToken({ sub: "ada", spillway: {} });
    expect(await codeOf(opened, bearer(token))).toBe("ok");
    for (const wrong of [uuid.slice(1), `${words}x`, "hunter3", sha256(uuid), keys[0]!.hash, `${token}x`]) {
      expect(await codeOf(opened, bearer(wrong))).toBe("credential-invalid");
      expect(await codeOf(opened, { "x-api-key": wrong })).toBe("credential-invalid");
    }
    expect(await codeOf(opened, { "x-api-key": token })).toBe("credential-invalid");
  });
});

describe.each(leastDoors)("through $name", (kind) => {
  test("a key that is removed from the configuration is refused, even if it was verified before", async () => {
    let current = keys;
    const opened = await open(kind, { keys }, () => ({ access: { keys: current } }));
    expect(await codeOf(opened, bearer(plain))).toBe("ok");
    current = keys.filter(({ name }) => name !== "slow");
    await opened.gateway.reload();
    expect(await codeOf(opened, bearer(plain))).toBe("credential-invalid");
    current = keys;
    await opened.gateway.reload();
    expect(await codeOf(opened, bearer(plain))).toBe("ok");
  });
});

test.each([
  "sha256:",
  `sha256:${sha256("x").slice(1)}`,
  `sha256:a b:${sha256("x")}`,
  `md5:${"0".repeat(32)}`,
  sha256("x"),
  phc("x").replace("ln=10", "ln=9"),
  phc("x").replace("ln=10", "ln=30"),
  phc("x").replace("r=8", "r=0"),
  "$scrypt$ln=10,r=8,p=1$$",
])("a hash in another form is refused at startup: %s", async (hash) => {
  const opening = open(doors[0]!, { keys: [{ name: "k", hash }] });
  await expect(opening).rejects.toMatchObject({ code: "config-invalid" });
});
