import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ProxyProgram, startProxy } from "./proxy-program.ts";
import { selfSigned } from "./self-signed.ts";

/** What a reverse proxy is started with. */
export interface ReverseProxySettings {
  /** The port of 127.0.0.1 that it passes requests on to. */
  readonly upstream: number;
  /** How long it lets an upstream be silent, in seconds. */
  readonly idle: number;
  /** How many connections or requests of one address it takes at once, if it counts them. */
  readonly perAddress: number;
}

/** A real reverse proxy with the configuration of `deploy/`. */
export interface ReverseProxy {
  /** https, without a slash at its end. */
  readonly url: string;
  /** The authority that its certificate is checked by. */
  readonly ca: string;
  /** What it has printed, and written to its `access.log`. */
  logged(): string;
  /** Kills it and removes its files. */
  close(): Promise<void>;
}

/** Where a proxy finds what it needs. */
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
  /** What has to be another text here, each found in the file exactly once. */
  substitutions(settings: ReverseProxySettings, files: ReverseProxyFiles): ReadonlyArray<readonly [string, string]>;
  /** The contents of files that it needs besides, by name. */
  readonly others?: Readonly<Record<string, string>>;
}

const deploy = join(import.meta.dirname, "../../deploy");

/** Starts it on a free port of 127.0.0.1, with a certificate of its own. */
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

/** Fails where the file in `deploy/` and what is known of it here have gone apart. */
function substituteEach(text: string, substitutions: ReadonlyArray<readonly [string, string]>): string {
  return substitutions.reduce((result, [from, to]) => {
    const parts = result.split(from);
    if (parts.length !== 2) throw new Error(`"${from}" is in the configuration ${parts.length - 1} times, not once`);
    return parts.join(to);
  }, text);
}
