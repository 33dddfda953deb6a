import { type Connection, connect } from "./connection.ts";
import type { RedisDriver, Reply } from "./driver.ts";
import { RefusedError } from "./failure.ts";
import type { Address, Location } from "./location.ts";

/** The way to the server that holds something. */
export interface Route {
  /** Connects to where it is now. */
  connect(): Promise<Connection>;
}

/** What the way depends on. */
export interface RouteSettings {
  readonly driver: RedisDriver;
  readonly location: Location;
  /** The node's name, which the server shows in its list of clients. */
  readonly node: string;
  /** Options of the driver, over those that follow from the URL. */
  readonly client: Readonly<Record<string, unknown>>;
  /** A key that lies on the server: how a Cluster is asked for it. */
  readonly key: string;
}

/** Makes a route. */
export function createRoute(settings: RouteSettings): Route {
  const { driver, location, key } = settings;
  /** Where a server of the Cluster said that the key is. */
  let moved: Address | undefined;
  let turn = 0;

  const toMaster = async (address: Address): Promise<Connection> => {
    const connection = await connect(driver, clientOptions(settings, address));
    try {
      await assertMaster(connection);
      return connection;
    } catch (error) {
      connection.end("it is no master");
      throw error;
    }
  };

  async function toSentinelsMaster(): Promise<Connection> {
    const sentinel = location.addresses[turn++ % location.addresses.length]!;
    const connection = await connect(driver, sentinelOptions(settings, sentinel));
    try {
      const reply = await connection.send(["SENTINEL", "get-master-addr-by-name", location.group]);
      if (!Array.isArray(reply)) throw new RefusedError(`no Sentinel knows the group ${location.group}`);
      const [host, port] = (reply as readonly Reply[]).map(String);
      return await toMaster({ host: host!, port: Number(port) });
    } finally {
      connection.end("the Sentinel has answered");
    }
  }

  async function toClusterServer(): Promise<Connection> {
    const address = moved ?? location.addresses[turn++ % location.addresses.length]!;
    moved = undefined;
    const connection = await toMaster(address);
    try {
      await connection.send(["EXISTS", key]);
    } catch (error) {
      connection.end("the key is elsewhere");
      if (!(error instanceof RefusedError) || error.reply !== "MOVED") throw error;
      moved = movedTo(error.message, address);
      return toMaster(moved);
    }
    moved = address;
    return connection;
  }

  const routes = {
    server: () => toMaster(location.addresses[turn++ % location.addresses.length]!),
    sentinel: toSentinelsMaster,
    cluster: toClusterServer,
  };
  return { connect: routes[location.kind] };
}

/** A replica would answer reads with what is old, and refuse writes. */
async function assertMaster(connection: Connection): Promise<void> {
  let reply: Reply;
  try {
    reply = await connection.send(["ROLE"]);
  } catch (error) {
    // Not everyone may ask. A replica is then noticed by its first refusal.
    if (error instanceof RefusedError && error.reply === "NOPERM") return;
    throw error;
  }
  const role = String((reply as readonly Reply[])[0]);
  if (role !== "master") throw new RefusedError(`READONLY the server is a ${role}`);
}

/** `MOVED 3999 10.0.0.7:6381`; without a host it is the one that was asked. */
function movedTo(message: string, asked: Address): Address {
  const target = message.split(" ")[2] ?? "";
  const colon = target.lastIndexOf(":");
  return { host: target.slice(0, colon) || asked.host, port: Number(target.slice(colon + 1)) };
}

function clientOptions({ location, node, client }: RouteSettings, { host, port }: Address): object {
  const { username, password, database, tls } = location;
  return {
    RESP: 2,
    name: `spillway-${node.replaceAll(/[^\x21-\x7e]/g, "_")}`,
    database,
    maintNotifications: "disabled",
    // A command that could not be sent must not be sent later, after its caller was told that it failed.
    disableOfflineQueue: true,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...client,
    socket: { ...(client.socket as object | undefined), host, port, ...(tls ? { tls } : {}), reconnectStrategy: false },
  };
}

/** Sentinels have no databases, and their own passwords if any: those are the driver's options. */
function sentinelOptions(settings: RouteSettings, address: Address): object {
  const { sentinel = {} } = settings.client as { sentinel?: object };
  const location = { ...settings.location, username: undefined, password: undefined, database: 0 };
  const client = { ...sentinel, socket: (sentinel as { socket?: object }).socket ?? settings.client.socket };
  return clientOptions({ ...settings, location, client }, address);
}
