import { expect, test } from "vitest";
import type { GatewayConfig, WebhookConfig } from "../../../src/config/config.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { catchConfigError } from "./support.ts";

function configOf(webhook: object, rest: Partial<GatewayConfig> = {}): GatewayConfig {
  return { store: "memory:", streams: { s: { webhook: webhook as WebhookConfig } }, ...rest };
}

const secret = "hunter2-hunter2";

const cases: ReadonlyArray<[webhook: object, path: string, expected: string]> = [
  [{ scheme: "gitlab", secret }, "scheme", "one of standard, github, stripe, slack, shopify, hmac, none"],
  [{ scheme: "github" }, "secret", "the secret that the sender signs with"],
  [{ scheme: "github", secret: "" }, "secret", "a secret"],
  [{ scheme: "github", secret: [] }, "secret", "a secret, or a list of 1 to 4"],
  [{ scheme: "github", secret: Array(5).fill(secret) }, "secret", "a secret, or a list of 1 to 4"],
  [{ scheme: "none", secret }, "secret", "a scheme that signs"],
  [{ scheme: "standard", secret }, "secret", "whsec_ and a secret in base64"],
  [{ scheme: "standard", secret: `whpk_${btoa("too short")}` }, "secret", "whsec_ and a secret in base64"],
  [{ scheme: "hmac", secret }, "header", "the header of the signature"],
  [{ scheme: "github", secret, header: "x-a" }, "header", "absent: only for the scheme hmac"],
  [{ scheme: "hmac", secret, header: "x a" }, "header", "the name of a header"],
  [{ scheme: "hmac", secret, header: "x-a", content: "{timestamp}" }, "content", "text with {body} once"],
  [{ scheme: "hmac", secret, header: "x-a", content: "{timestamp}{body}" }, "content", "no {timestamp}"],
  [{ scheme: "hmac", secret, header: "x-a", timestamp: "x-t", content: "{body}" }, "content", "text with {timestamp}"],
  [{ scheme: "github", secret, unverified: "accepted" }, "unverified", "absent: only for the scheme none"],
  [{ scheme: "github", secret, tolerance: "1d" }, "tolerance", "a duration"],
  [{ scheme: "github", secret, event: "type" }, "event", "header:<name>, a JSON pointer"],
  [{ scheme: "github", secret, data: "header:x-data" }, "data", "a JSON pointer"],
];

test.each(cases)("%j is refused, naming %s", (webhook, path, expected) => {
  const { message, issues } = catchConfigError(() => resolveConfig(configOf(webhook)));
  expect(issues[0]!.path).toBe(`streams.s.webhook.${path}`);
  expect(message).toContain(expected);
  expect(message).not.toContain(secret);
});

test("webhooks without a signature need a loopback address, or the words that accept them", () => {
  const open = { listen: "0.0.0.0:8080", access: { anonymous: ["subscribe"] as const } };
  expect(resolveConfig(configOf({ scheme: "none" })).streams["s"]!.webhook).toMatchObject({ scheme: "none" });
  const { issues } = catchConfigError(() => resolveConfig(configOf({ scheme: "none" }, open)));
  expect(issues).toMatchObject([{ path: "streams.s.webhook.scheme", got: "none" }]);
  expect(issues[0]!.message).toContain('"unverified: accepted"');
  const accepted = configOf({ scheme: "none", unverified: "accepted" }, open);
  expect(resolveConfig(accepted).streams["s"]!.webhook).toMatchObject({ unverified: true });
});

test("a scheme knows where its sender puts type and id, unless the configuration says otherwise", () => {
  const { webhook } = resolveConfig(configOf({ scheme: "github", secret, event: "header:X-Kind" })).streams["s"]!;
  expect(webhook).toMatchObject({ event: ["header:x-kind"], id: ["header:x-github-delivery"], channel: [], data: [] });
});
