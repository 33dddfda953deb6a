import { createServer } from "node:https";
import type { TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { portOf } from "../../support/ports.ts";
import { eventually } from "../../support/reader.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { probe, source, upTo } from "./support.ts";

const certificate = selfSigned();
const elsewhere = selfSigned("source.example", false);

describe("a source with TLS", () => {
  test("is trusted with its authority's certificate", async () => {
    const origin = await source({ tls: certificate, dropEvery: 2 });
    const { upstream, numbers, untilDelivered } = probe(origin.url, { tls: { ca: certificate.cert } });
    upstream.start();
    origin.control({ emit: 5 });
    await untilDelivered(5);
    expect(numbers()).toEqual(upTo(5));
    await upstream.stop();
    await eventually(() => origin.state().sockets === 0);
  });

  test("without a trusted certificate is upstream-connect", async () => {
    const origin = await source({ tls: certificate });
    const { upstream, lines, untilFailure } = probe(origin.url);
    upstream.start();
    expect(await untilFailure()).toBe("upstream-connect");
    expect(lines[0]!.fields["reason"]).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(origin.state().connections).toEqual([]);
  });

  test("is accepted without verification if that is configured", async () => {
    const origin = await source({ tls: elsewhere });
    const { upstream, untilState } = probe(origin.url, { tls: { rejectUnauthorized: false } });
    upstream.start();
    await untilState("open");
  });

  test("with another name needs the servername", async () => {
    const origin = await source({ tls: elsewhere });
    const wrong = probe(origin.url, { tls: { ca: elsewhere.cert } });
    wrong.upstream.start();
    expect(await wrong.untilFailure()).toBe("upstream-connect");
    expect(wrong.lines[0]!.fields["reason"]).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    await wrong.upstream.stop();
    const right = probe(origin.url, { tls: { ca: elsewhere.cert, servername: "source.example" } });
    right.upstream.start();
    await right.untilState("open");
  });

  test("gets the client's certificate", async () => {
    const client = selfSigned("client");
    let seen: unknown;
    const server = createServer({ ...certificate, ca: client.cert, requestCert: true }, (request, response) => {
      seen = (request.socket as TLSSocket).getPeerCertificate().subject?.CN;
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const tls = { ca: certificate.cert, cert: client.cert, key: client.key };
    const { upstream, untilState } = probe(`https://127.0.0.1:${portOf(server)}/`, { tls });
    upstream.start();
    await untilState("open");
    expect(seen).toBe("client");
  });
});
