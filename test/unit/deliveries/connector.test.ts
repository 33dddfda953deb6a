import type { LookupAddress } from "node:dns";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createConnector } from "../../../src/deliveries/connector.ts";
import { isPublicAddress } from "../../../src/util/ip-address.ts";

/** Connects to a name for which the DNS has these answers, one after the other. */
async function connect(
  answers: LookupAddress[][],
  options: { readonly port?: number; readonly allowPrivate?: boolean } = {},
): Promise<{ readonly error: Error | null; readonly lookups: number }> {
  const { port = 9, allowPrivate = false } = options;
  let lookups = 0;
  const connector = createConnector({
    timeout: 1000,
    allowPrivate,
    resolve: (_host, _options, callback) => callback(null, answers[Math.min(lookups++, answers.length - 1)]!),
  });
  const target = { hostname: "hooks.example", port: String(port), protocol: "http:" };
  const error = await new Promise<Error | null>((resolve) =>
    connector(target, (...[failed, socket]) => {
      socket?.destroy();
      resolve(failed);
    }),
  );
  return { error, lookups };
}

const loopback = { address: "127.0.0.1", family: 4 };
const somewhere = { address: "192.0.2.1", family: 4 };

test("a name with a private address is refused, also beside a public one", async () => {
  for (const addresses of [[loopback], [{ address: "8.8.8.8", family: 4 }, loopback], [somewhere], []]) {
    const { error } = await connect([addresses]);
    expect(error?.name).toBe("AddressDenied");
  }
});

test("a name is resolved once per connection, so a second answer of the DNS has no effect", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const { error, lookups } = await connect([[loopback], [somewhere]], { port, allowPrivate: true });
  expect([error, lookups]).toEqual([null, 1]);
});

test.for([
  "127.0.0.1",
  "10.1.2.3",
  "172.16.0.1",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "0.0.0.0",
  "224.0.0.1",
  "255.255.255.255",
  "192.0.2.1",
  "::",
  "::1",
  "::7f00:1",
  "::ffff:127.0.0.1",
  "fe80::1",
  "fc00::1",
  "fec0::1",
  "ff02::1",
  "64:ff9b::7f00:1",
  "2002:7f00:1::",
  "2001::1",
  "2001:db8::1",
  "not an address",
])("%s is not a public address", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.for(["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])("%s is a public address", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});
