import type { TlsOptions } from "../gateway/options.ts";

/** How long the certificate is valid, in ms. It is used only while the process runs. */
const validity = 30 * 24 * 60 * 60 * 1000;

/** Creates a self-signed certificate for the loopback names of this machine, for development. */
export async function createDevCertificate(): Promise<TlsOptions> {
  // Loaded on use, because few runs need it.
  const { generate } = await import("selfsigned");
  const now = Date.now();
  const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    // Clocks of containers and hosts differ.
    notBeforeDate: new Date(now - 60_000),
    notAfterDate: new Date(now + validity),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: localNames() },
    ],
  });
  return { cert, key };
}

type SubjectAltNames = Array<{ type: 2; value: string } | { type: 7; ip: string }>;

/** RFC 5280 §4.2.1.6: type 2 is a DNS name, type 7 an IP address. */
function localNames(): SubjectAltNames {
  return [
    { type: 2, value: "localhost" },
    { type: 7, ip: "127.0.0.1" },
    { type: 7, ip: "::1" },
  ];
}
