import { readFileSync } from "node:fs";
import { invalidStoreUrl } from "../engine/store-url.ts";
import type { TlsSettings } from "./driver.ts";

/** Where a store's tables are, and the credentials for them. */
export interface Location {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** What the names of the tables begin with. */
  readonly prefix: string;
  /** Connections for reading, at most. */
  readonly max: number;
  /** Absent for a connection that is not encrypted. */
  readonly tls: TlsSettings | undefined;
  /** The place without credentials, for messages: `mysql://host:port/database`. */
  readonly name: string;
}

const defaultPrefix = "spillway_";
const prefixPattern = /^\w{1,32}$/;
const tlsModes = ["disabled", "required", "verify_identity"] as const;

/**
 * Reads a URL such as `mysql://user:password@host:3306/database`, or the same with `mariadb:`. Parameters: `prefix` (of the names of
 * the tables, default `spillway_`), `max` (connections for reading, at most; default 4), `ssl-mode` (`disabled`, the default,
 * `required` or `verify_identity`), `ssl-ca` (a file of certificates in PEM).
 * @throws {SpillwayError} `config-invalid` (`store`); it does not repeat the URL, which may hold a password.
 */
export function readLocation(url: string): Location {
  const { protocol, hostname, port, username, password, pathname, searchParams } = parseUrl(url);
  if (protocol !== "mysql:" && protocol !== "mariadb:")
    throw invalidStoreUrl("mysql://<user>@<host>/<database>", protocol);
  const database = decode(pathname.slice(1));
  if (database === "" || database.includes("/"))
    throw invalidStoreUrl("mysql://<user>@<host>/<database>", `the path ${pathname}`);
  const prefix = searchParams.get("prefix") ?? defaultPrefix;
  if (!prefixPattern.test(prefix))
    throw invalidStoreUrl("a prefix of 1 to 32 letters, digits and _", `prefix=${prefix}`);
  const max = searchParams.get("max") ?? "4";
  if (!/^[1-9]\d{0,2}$/.test(max)) throw invalidStoreUrl("connections from 1 to 999", `max=${max}`);
  const host = hostname.replace(/^\[(.*)\]$/, "$1") || "127.0.0.1";
  return {
    host,
    port: Number(port || 3306),
    user: decode(username),
    password: decode(password),
    database,
    prefix,
    max: Number(max),
    tls: parseTls(searchParams),
    name: `mysql://${hostname || host}:${port || 3306}/${database}`,
  };
}

function parseUrl(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw invalidStoreUrl("mysql://<user>@<host>/<database>", "no URL");
  }
}

function parseTls(parameters: URLSearchParams): TlsSettings | undefined {
  const mode = (parameters.get("ssl-mode") ?? "disabled").toLowerCase();
  if (!tlsModes.some((known) => known === mode))
    throw invalidStoreUrl(`ssl-mode of ${tlsModes.join(", ")}`, `ssl-mode=${mode}`);
  if (mode === "disabled") return undefined;
  const verify = mode === "verify_identity";
  const ca = parameters.get("ssl-ca");
  return { rejectUnauthorized: verify, verifyIdentity: verify, ...(ca !== null && { ca: readCertificates(ca) }) };
}

function readCertificates(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw invalidStoreUrl("ssl-ca that can be read", `ssl-ca=${path}`);
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidStoreUrl("percent-encoded UTF-8 in the URL", "something else");
  }
}
