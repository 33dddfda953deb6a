import { invalidStoreUrl } from "../engine/store-url.ts";

/** A server's address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where a store is, as its URL says. */
export interface Location {
  /** How the server is found: it is the one named; Sentinels know it; each log is on a server of its own of a Cluster. */
  readonly kind: "server" | "sentinel" | "cluster";
  /** The server, the Sentinels, or some servers of the Cluster. */
  readonly addresses: readonly Address[];
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** What the Sentinels call the group of servers. */
  readonly group: string;
  /** What all keys begin with. */
  readonly prefix: string;
  /** Replicas that must have an append before it resolves. */
  readonly wait: number;
  /** The URL without what is secret, for messages. */
  readonly place: string;
}

const expected =
  "redis[s][-sentinel|-cluster]://[[user]:password@]host[:port][,host…][/database][?prefix=…&wait=…&group=…]";
const pattern = /^(rediss?)(?:-(sentinel|cluster))?:\/\/(?:([^@/?]*)@)?([^/?#@]+)(?:\/(\d*))?(?:\?([^#]*))?$/i;
const parameters: ReadonlySet<string> = new Set(["prefix", "wait", "group"]);

/**
 * Reads a store's URL.
 * @throws {SpillwayError} `config-invalid` (`store`), which does not show the URL.
 */
export function locateStore(url: string): Location {
  const [, scheme, kind, user, hosts, database, query] = pattern.exec(url) ?? invalid("another URL");
  const values = new URLSearchParams(query);
  const unknown = [...values.keys()].find((name) => !parameters.has(name));
  if (unknown !== undefined) invalid(`the parameter ${unknown}`);
  const prefix = values.get("prefix") ?? "spillway";
  // Braces would move the hash tag, by which all keys of a log are on one server of a Cluster.
  if (!/^[^{}\s]+$/.test(prefix)) invalid("a prefix with braces or spaces, or an empty one");
  const wait = values.get("wait") ?? "0";
  if (!/^\d{1,2}$/.test(wait)) invalid("a wait that is no number of replicas");
  const [username, password] = credentials(user);
  const route = (kind?.toLowerCase() ?? "server") as Location["kind"];
  const place = `${scheme!.toLowerCase()}${kind ? `-${route}` : ""}://${hosts!}${database ? `/${database}` : ""}`;
  return {
    kind: route,
    addresses: hosts!.split(",").map((host) => address(host, route)),
    tls: scheme!.toLowerCase() === "rediss",
    username,
    password,
    database: Number(database ?? 0),
    group: values.get("group") ?? "mymaster",
    prefix,
    wait: Number(wait),
    place,
  };
}

function credentials(user: string | undefined): [username: string | undefined, password: string | undefined] {
  if (user === undefined) return [undefined, undefined];
  const colon = user.indexOf(":");
  const [name, password] = colon === -1 ? [user, ""] : [user.slice(0, colon), user.slice(colon + 1)];
  return [decodeURIComponent(name) || undefined, decodeURIComponent(password) || undefined];
}

function address(text: string, kind: Location["kind"]): Address {
  const [, bracketed, plain, port] =
    /^(?:\[([\da-f:]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(text) ?? invalid("no host");
  return { host: (bracketed ?? plain)!, port: Number(port ?? (kind === "sentinel" ? 26_379 : 6_379)) };
}

function invalid(got: string): never {
  throw invalidStoreUrl(expected, got);
}
