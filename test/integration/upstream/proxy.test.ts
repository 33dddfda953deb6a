import { describe, expect, onTestFinished, test } from "vitest";
import { startConnectProxy, type ConnectProxy } from "../../support/connect-proxy.ts";
import { eventually } from "../../support/reader.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { probe, source, upTo } from "./support.ts";
import { patience } from "../../support/patience.ts";

const certificate = selfSigned();
const slow = { min: 300, max: 600, healthy: 1000 };

async function connectProxy(): Promise<ConnectProxy> {
  const proxy = await startConnectProxy();
  onTestFinished(() => proxy.close());
  return proxy;
}

describe("through a proxy", () => {
  test.each([
    ["http", undefined],
    ["https", certificate],
  ])("an %s source is reached by a tunnel, which is closed after stop", async (_scheme, tls) => {
    const [origin, proxy] = [await source({ tls, dropEvery: 2 }), await connectProxy()];
    const { upstream, numbers, untilDelivered } = probe(origin.url, {
      proxy: proxy.url.replace("//", "//me:s3cret@"),
      tls: tls && { ca: tls.cert },
    });
    upstream.start();
    origin.control({ emit: 5 });
    await untilDelivered(5);
    expect(numbers()).toEqual(upTo(5));
    expect(proxy.requests[0]).toEqual({
      authority: new URL(origin.url).host,
      authorization: `Basic ${Buffer.from("me:s3cret").toString("base64")}`,
    });
    expect(JSON.stringify(origin.state().connections)).not.toMatch(/proxy-auth/);
    await upstream.stop();
    await eventually(() => proxy.open() === 0 && origin.state().sockets === 0);
  });

  test.each(["refuse", "close", "hang"] as const)(
    "that answers a tunnel with %s is asked once per attempt",
    async (how) => {
      const [origin, proxy] = [await source(), await connectProxy()];
      proxy.behave(how);
      const { upstream, lines, untilFailure, untilState } = probe(origin.url, {
        proxy: proxy.url,
        backoff: slow,
        timeouts: { connect: patience, headers: how === "hang" ? 300 : patience, idle: patience },
      });
      upstream.start();
      expect(await untilFailure()).toBe(how === "hang" ? "upstream-timeout" : "upstream-connect");
      await eventually(() => proxy.open() === 0);
      expect(proxy.requests).toHaveLength(1);
      proxy.behave("open");
      await untilState("open");
      expect(JSON.stringify(lines)).not.toContain("127.0.0.1");
    },
  );

  test("that cannot be reached is upstream-connect", async () => {
    const [origin, proxy] = [await source(), await connectProxy()];
    await proxy.close();
    const { upstream, untilFailure } = probe(origin.url, { proxy: proxy.url, backoff: slow });
    upstream.start();
    expect(await untilFailure()).toBe("upstream-connect");
  });

  test("with an invalid address fails without showing it", async () => {
    const { upstream, lines, untilFailure } = probe("http://127.0.0.1/", { proxy: "s3cret", backoff: slow });
    upstream.start();
    expect(await untilFailure()).toBe("upstream-connect");
    expect(JSON.stringify(lines)).not.toContain("s3cret");
  });
});
