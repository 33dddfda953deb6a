import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { type EngineServer, startEngine } from "./engine-server.ts";
import { freePort } from "./ports.ts";
import type { Certificate } from "./self-signed.ts";

const run = promisify(execFile);

/** The server that tests share. No test may stop it or change its settings. */
export const sharedPostgres: string = process.env["TEST_POSTGRES_URL"] ?? "postgres://postgres@127.0.0.1:5432/test";

/** A separate schema for one test. */
export interface PostgresPlace {
  /** The URL for a store. */
  readonly url: string;
  readonly schema: string;
  /** The full name of one of its tables. */
  table(name: string): string;
  /** Runs a statement, with `$schema` for the schema's name, and resolves to its rows. */
  query(text: string): Promise<Record<string, unknown>[]>;
  /** Drops the schema. */
  remove(): Promise<void>;
}

/** Creates a unique schema name at `server`. The store creates the schema. */
export function openPostgresPlace(server: string = sharedPostgres): PostgresPlace {
  const schema = `t_${randomBytes(8).toString("hex")}`;
  async function query(text: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text.replaceAll("$schema", schema))).rows;
    } finally {
      await client.end();
    }
  }
  return {
    url: `${server}${server.includes("?") ? "&" : "?"}schema=${schema}`,
    schema,
    table: (name) => `${schema}.${name}`,
    query,
    remove: async () => void (await query("DROP SCHEMA IF EXISTS $schema CASCADE")),
  };
}

/** A separate server for one test. */
export interface PostgresServer extends EngineServer {
  /** The directory for files that its user must read. */
  readonly home: string;
  /** Promotes the standby, and serves at the port of a stopped server. */
  takePlaceOf(other: PostgresServer): Promise<void>;
}

/** Options of a separate server. */
export interface PostgresServerOptions {
  /** Additional settings, as `name=value`. */
  readonly settings?: readonly string[];
  /** Copies a running server and follows it as a standby. */
  readonly standbyOf?: PostgresServer;
  /** Also supports TLS with this certificate, which is the file `cert.pem` of its home. */
  readonly certificate?: Certificate;
}

/** Starts a server in a separate folder, on a free port, as a user other than root. */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const { settings = [], standbyOf, certificate } = options;
  const home = await mkdtemp(join(tmpdir(), "spillway-postgres-"));
  await chmod(home, 0o755);
  const folder = join(home, "data");
  let port = await freePort();
  const tools = await toolsFolder();
  const asRoot = process.getuid?.() === 0;
  if (asRoot) await run("chown", ["postgres", home]);
  const command = (program: string, args: readonly string[]): [string, string[]] =>
    asRoot ? ["runuser", ["-u", "postgres", "--", join(tools, program), ...args]] : [join(tools, program), [...args]];

  if (standbyOf) {
    const from = ["-h", "127.0.0.1", "-p", String(standbyOf.port), "-U", "postgres"];
    await run(...command("pg_basebackup", [...from, "-D", folder, "-R", "-X", "stream", "-c", "fast"]));
  } else {
    await run(...command("initdb", ["-D", folder, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]));
  }

  const ownSettings = ["listen_addresses=127.0.0.1", `unix_socket_directories=${home}`, ...settings];
  const user = asRoot ? await postgresUser() : undefined;
  if (certificate) {
    for (const name of ["cert", "key"] as const) {
      const file = join(home, `${name}.pem`);
      await writeFile(file, certificate[name], { mode: 0o600 });
      if (user) await chown(file, user.uid, user.gid);
    }
    ownSettings.push("ssl=on", `ssl_cert_file=${home}/cert.pem`, `ssl_key_file=${home}/key.pem`);
  }

  async function isReady(): Promise<boolean> {
    const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
    const answered = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => {});
    return answered;
  }

  const server = await startEngine({
    home,
    folder,
    // Not through runuser, because signals would end that process instead.
    program: join(tools, "postgres"),
    args: () => ["-D", folder, "-p", String(port), ...ownSettings.flatMap((setting) => ["-c", setting])],
    isReady,
    options: { cwd: home, ...user },
    // The fast shutdown, and the end of all processes at once, without another write.
    stopSignal: "SIGINT",
    killSignal: "SIGQUIT",
  });
  return {
    get port() {
      return port;
    },
    get url() {
      return `postgres://postgres@127.0.0.1:${port}/postgres`;
    },
    home,
    ...server,
    async takePlaceOf(other) {
      await server.stop();
      ({ port } = other);
      await server.start();
      const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
      await client.connect();
      await client.query("SELECT pg_promote()");
      await client.end();
    },
  };
}

/** Debian does not install the server's programs in the path. */
async function toolsFolder(): Promise<string> {
  const base = "/usr/lib/postgresql";
  const versions = (await readdir(base)).toSorted((a, b) => Number(a) - Number(b));
  return join(base, versions.at(-1)!, "bin");
}

async function postgresUser(): Promise<{ readonly uid: number; readonly gid: number }> {
  const id = async (flag: string): Promise<number> => Number((await run("id", [flag, "postgres"])).stdout);
  return { uid: await id("-u"), gid: await id("-g") };
}
