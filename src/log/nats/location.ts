import { readFile } from "node:fs/promises";
import { SpillwayError } from "../../errors.ts";
import { invalidStoreUrl } from "../engine/store-url.ts";
import type { NatsDriver } from "./driver.ts";

/** Where a store keeps its logs. */
export interface NatsLocation {
  /** `host:port` of each server. */
  readonly servers: readonly string[];
  /** Prefix of the names of its streams and subjects. */
  readonly prefix: string;
  /** Number of replicas of each stream in a cluster of servers. */
  readonly replicas: number;
  readonly storage: "file" | "memory";
  /** Options of the driver: credentials and TLS. */
  readonly access: Readonly<Record<string, unknown>>;
}

/** `nats://[user:password@|token@]host[:port][,host[:port]…][?…]`; the class `URL` cannot parse all of these. */
const pattern = /^(nats|tls):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/;

const parameters = new Set(["prefix", "replicas", "storage", "creds", "ca", "cert", "key"]);

/**
 * Reads the URL of a store. Parameters: `prefix` (default `spillway`), `replicas` (1 to 5, default 1), `storage`
 * (`file`, the default, or `memory`), `creds` (a credentials file), and for TLS `ca`, `cert` and `key` (PEM files).
 * @throws {SpillwayError} `config-invalid` (`store`).
 */
export async function parseLocation(url: string, driver: NatsDriver): Promise<NatsLocation> {
  const match = pattern.exec(url);
  if (!match) throw invalidStoreUrl("nats://host:port", "a URL of another form");
  const [, scheme, user, hosts, query] = match;
  const options = new URLSearchParams(query);
  for (const name of options.keys()) {
    if (!parameters.has(name)) throw invalidStoreUrl(`the parameters ${Array.from(parameters).join(", ")}`, name);
  }
  const prefix = options.get("prefix") ?? "spillway";
  if (!/^[A-Za-z0-9-]{1,32}$/.test(prefix))
    throw invalidStoreUrl("a prefix of at most 32 letters, digits and hyphens", prefix);
  const replicas = options.get("replicas") ?? "1";
  if (!/^[1-5]$/.test(replicas)) throw invalidStoreUrl("1 to 5 replicas", replicas);
  const storage = options.get("storage") ?? "file";
  if (storage !== "file" && storage !== "memory") throw invalidStoreUrl("the storage file or memory", storage);
  const access = { ...userOf(user), ...(await credentialsOf(options, driver)), ...tlsOf(scheme, options) };
  return { servers: hosts!.split(","), prefix, replicas: Number(replicas), storage, access };
}

function userOf(text: string | undefined): object {
  if (!text) return {};
  const [user, pass] = text.split(/:(.*)/s, 2).map((part) => decodeURIComponent(part));
  return pass === undefined ? { token: user } : { user, pass };
}

async function credentialsOf(options: URLSearchParams, driver: NatsDriver): Promise<object> {
  const path = options.get("creds");
  if (path === null) return {};
  try {
    return { authenticator: driver.credsAuthenticator(await readFile(path)) };
  } catch (cause) {
    throw new SpillwayError("config-invalid", `the credentials file ${path} cannot be read`, { field: "store", cause });
  }
}

function tlsOf(scheme: string | undefined, options: URLSearchParams): object {
  const files = { caFile: options.get("ca"), certFile: options.get("cert"), keyFile: options.get("key") };
  const given = Object.fromEntries(Object.entries(files).filter(([, path]) => path !== null));
  return scheme === "tls" || Object.keys(given).length > 0 ? { tls: given } : {};
}
