import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A key and a self-signed certificate, as PEM texts. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Makes a certificate for one name, for `127.0.0.1` unless `address` is false. Needs the `openssl` command. */
export function selfSigned(name = "localhost", address = true): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "spillway-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  try {
    const names = `subjectAltName=DNS:${name}${address ? ",IP:127.0.0.1" : ""}`;
    const subject = ["-subj", `/CN=${name}`, "-addext", names, "-days", "1"];
    const keyKind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    execFileSync("openssl", ["req", "-x509", ...keyKind, "-keyout", key, "-out", cert, ...subject], { stdio: "pipe" });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
