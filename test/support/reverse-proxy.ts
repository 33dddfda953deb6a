import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ProxyProgram, startProxy } from "./proxy-program.ts";
import { selfSigned } from "./self-signed.ts";

/** The options of a reverse proxy. */
export interface ReverseProxySettings {
  /** The port of 127.0.0.1 to which it forwards requests. */
  readonly upstream: number;
  /** Its timeout for a silent upstream, in seconds. */
  readonly idle: number;
  /** Its limit of concurrent connections or requests per address, if it has one. */
  readonly perAddress: number;
}

/** A real reverse proxy with the configuration of `deploy/`. */
export interface ReverseProxy {
  /** https, without a slash at its end. */
  readonly url: string;
  /** The authority of its certificate. */
  readonly ca: string;
  /** Its output and its `access.log`. */
  logged(): string;
  /** Kills it and removes its files. */
  close(): Promise<void>;
}

/** The files for a proxy. */
export interface ReverseProxyFiles {
  /** Of 127.0.0.1, for it to listen on. */
  readonly port: number;
  /** Paths of PEM files: the certificate, its key, and one file with both. */
  readonly cert: string;
  readonly key: string;
  readonly both: string;
}

/** One kind of proxy. */
export interface ReverseProxyKind extends ProxyProgram {
  /** Its configuration in `deploy/`. */
  readonly file: string;
  /** The texts to replace for the test. Each occurs in the file exactly once. */
  substitutions(settings: ReverseProxySettings, files: ReverseProxyFiles): ReadonlyArray<readonly [string, string]>;
  /** The contents of files that it needs besides, by name. */
  readonly others?: Readonly<Record<string, string>>;
}

const deploy = join(import.meta.dirname, "../../deploy");

/** Starts it on a free port of 127.0.0.1, with a new certificate. */
export async function startReverseProxy(kind: ReverseProxyKind, settings: ReverseProxySettings): Promise<ReverseProxy> {
  const { cert, key } = selfSigned();
  const written = readFileSync(join(deploy, kind.file), "utf8");
  const { folder, port, output, close } = await startProxy(kind, (place) => {
    const path = (name: string): string => join(place.folder, name);
    const files = { port: place.port, cert: path("cert.pem"), key: path("key.pem"), both: path("both.pem") };
    return {
      "cert.pem": cert,
      "key.pem": key,
      "both.pem": cert + key,
      [kind.file]: substituteEach(written, kind.substitutions(settings, files)),
      ...kind.others,
    };
  });
  const accessLog = join(folder, "access.log");
  return {
    url: `https://localhost:${port}`,
    ca: cert,
    logged: () => output() + (existsSync(accessLog) ? readFileSync(accessLog, "utf8") : ""),
    close,
  };
}

/** Fails if the file in `deploy/` no longer matches the replacements. */
function substituteEach(text: string, substitutions: ReadonlyArray<readonly [string, string]>): string {
  return substitutions.reduce((result, [from, to]) => {
    const parts = result.split(from);
    if (parts.length !== 2) throw new Error(`"${from}" is in the configuration ${parts.length - 1} times, not once`);
    return parts.join(to);
  }, text);
}
