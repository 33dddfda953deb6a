import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { SignJWT, UnsecuredJWT, type JWTPayload } from "jose";
import { expect, test, vi } from "vitest";
import { selfSigned } from "../../support/self-signed.ts";
import { accessOf, bearer, errorOf, outcome, said, subjectOf } from "./support.ts";

const secret = "0123456789abcdef0123456789abcdef";

function sign(
  claims: JWTPayload,
  alg = "HS256",
  key: KeyObject | Uint8Array = new TextEncoder().encode(secret),
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
}

const inAnHour = Math.floor(Date.now() / 1000) + 3600;

test("a token provides the rights of its claim, its subject and its expiry", async () => {
  const access = accessOf({ jwt: { secret } });
  const spillway = { can: ["subscribe", "publish"], streams: ["prices"], channels: ["user:*"], events: ["trade"] };
  expect(await outcome(access, bearer(await sign({ sub: "ada", exp: inAnHour, spillway })))).toMatchObject({
    subject: "jwt:ada",
    grant: spillway,
    expiresAt: inAnHour * 1000,
    recognized: { by: "jwt" },
  });
});

test("a token without a subject has a dash instead, and without an expiry it has none", async () => {
  const identity = await outcome(accessOf({ jwt: { secret } }), bearer(await sign({ spillway: {} })));
  expect(identity).toMatchObject({ subject: "jwt:-", expiresAt: undefined, grant: { can: ["subscribe"] } });
});

test("without a claim, a token only has the rights of every token", async () => {
  const token = bearer(await sign({ sub: "ada" }));
  expect(await outcome(accessOf({ jwt: { secret } }), token)).toMatchObject({ grant: { can: [] } });
  expect(await outcome(accessOf({ jwt: { secret, can: ["subscribe"] } }), token)).toMatchObject({
    grant: { can: ["subscribe"] },
  });
});

test("an expired token is reported as expired, with a tolerance", async () => {
  const exp = Math.floor(Date.now() / 1000) + 100;
  const token = bearer(await sign({ sub: "ada", exp }));
  const access = accessOf({ jwt: { secret, clockTolerance: "5s" } });
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    vi.setSystemTime(exp * 1000 - 1);
    expect(await outcome(access, token)).toMatchObject({ expiresAt: exp * 1000 });
    vi.setSystemTime(exp * 1000 + 1000);
    expect(await outcome(access, token)).toMatchObject({ expiresAt: exp * 1000 + 5000 });
    vi.setSystemTime(exp * 1000 + 5000);
    expect(await outcome(access, token)).toBe("credential-expired");
  } finally {
    vi.useRealTimers();
  }
});

test("issuer, audience and start are checked against the options, and the error only names the claim", async () => {
  const jwt = { secret, issuer: "https://issuer.example", audience: "spillway" };
  const right = { iss: jwt.issuer, aud: ["other", "spillway"], sub: "ada" };
  const access = accessOf({ jwt });
  expect(await subjectOf(access, bearer(await sign(right)))).toBe("jwt:ada");
  for (const [claim, wrong] of [
    ["iss", "https://other.example"],
    ["iss", undefined],
    ["aud", "others"],
    ["aud", undefined],
    ["nbf", inAnHour],
  ] as const) {
    const token = await sign({ ...right, [claim]: wrong });
    const error = await errorOf(() => access.identify(bearer(token), undefined));
    expect([error.code, error.field, error.cause]).toEqual(["credential-invalid", claim, undefined]);
    expect(error.message).not.toContain(String(wrong));
  }
});

test("a token with another key, another algorithm or none is unknown", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const bySecret = accessOf({ jwt: { secret } });
  const byKey = accessOf({ jwt: { publicKey: pem } });
  const spillway = { can: ["admin"] };
  const forged = {
    "other secret": await sign({ spillway }, "HS256", new TextEncoder().encode("x".repeat(32))),
    "other algorithm": await sign({ spillway }, "HS512", new TextEncoder().encode(secret.repeat(2))),
    "no signature": new UnsecuredJWT({ spillway }).encode(),
    "public key as secret": await sign({ spillway }, "HS256", new TextEncoder().encode(pem)),
    "algorithm that is not listed": await sign({ spillway }, "PS256", privateKey),
    "no token": "x",
  };
  for (const [what, token] of Object.entries(forged)) {
    for (const access of [bySecret, byKey])
      expect([what, await subjectOf(access, bearer(token))]).toEqual([what, "credential-invalid"]);
  }
  const [head, , signature] = (await sign({ sub: "ada" })).split(".");
  const other = (await sign({ sub: "bob", spillway })).split(".")[1];
  expect(await subjectOf(bySecret, bearer(`${head}.${other}.${signature}`))).toBe("credential-invalid");
});

test("public keys of every kind work, as key and as certificate", async () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ed = generateKeyPairSync("ed25519");
  for (const [alg, { publicKey, privateKey }] of [
    ["RS256", rsa],
    ["ES256", ec],
    ["EdDSA", ed],
  ] as const) {
    const access = accessOf({ jwt: { publicKey: publicKey.export({ type: "spki", format: "pem" }).toString() } });
    expect(await subjectOf(access, bearer(await sign({ sub: alg }, alg, privateKey)))).toBe(`jwt:${alg}`);
  }
  const { cert, key } = selfSigned();
  const token = await sign({ sub: "ada" }, "ES256", createPrivateKey(key));
  expect(await subjectOf(accessOf({ jwt: { publicKey: cert } }), bearer(token))).toBe("jwt:ada");
});

test("an invalid public key is an error of the configuration", async () => {
  const publicKey = "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----";
  const error = await errorOf(() => accessOf({ jwt: { publicKey } }));
  expect([error.code, error.field]).toEqual(["config-invalid", "access.jwt.publicKey"]);
});

test("an error contains no part of the token", async () => {
  const token = await sign({ sub: "ada", exp: 1, spillway: { channels: ["secret-channel"] } });
  const wrong = await sign({ sub: "ada", aud: "nobody" }, "HS256", new TextEncoder().encode("y".repeat(32)));
  for (const shown of [token, wrong]) {
    const error = await errorOf(() => accessOf({ jwt: { secret } }).identify(bearer(shown), undefined));
    for (const part of [...shown.split("."), "secret-channel"]) expect(said(error)).not.toContain(part);
  }
});
