import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import mysql from "mysql2/promise";
import { type EngineServer, startEngine } from "./engine-server.ts";
import { freePort } from "./ports.ts";
import { findProgram } from "./programs.ts";

const run = promisify(execFile);

/** The server that tests share. No test may stop it or change its settings. */
export const sharedMysql: string = process.env["TEST_MYSQL_URL"] ?? "mysql://root@127.0.0.1:3306/test";

/** Between queries of `innodb_trx`, in ms: it shows old data if it was queried within 100 ms. */
export const trxPollInterval = 150;

/** Separate tables for one test. */
export interface MysqlPlace {
  /** The URL for a store. */
  readonly url: string;
  /** The prefix of the table names. */
  readonly prefix: string;
  /** The full name of one of the tables. */
  table(name: string): string;
  /** Runs a statement, with `$` for the prefix, and resolves to its rows. */
  query(text: string): Promise<Record<string, unknown>[]>;
  /** Drops the tables. */
  remove(): Promise<void>;
}

/** Creates a unique table prefix at `server`. The store creates the tables. */
export function openMysqlPlace(server: string = sharedMysql): MysqlPlace {
  const prefix = `t${randomBytes(8).toString("hex")}_`;
  const query = (text: string): Promise<Record<string, unknown>[]> =>
    queryMysql(
      server,
      text.replaceAll("$", () => prefix),
    );
  return {
    url: `${server}${server.includes("?") ? "&" : "?"}prefix=${prefix}`,
    prefix,
    table: (name) => prefix + name,
    query,
    async remove() {
      const tables = await query(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND LEFT(table_name, 18) = '$'",
      );
      const names = tables.map(({ name }) => String(name));
      if (names.length > 0) await query(`DROP TABLE ${names.join(", ")}`);
    },
  };
}

/** Runs a statement in the database that a URL names. */
export async function queryMysql(url: string, text: string): Promise<Record<string, unknown>[]> {
  const connection = await mysql.createConnection(url.split("?")[0]!);
  try {
    const [rows] = await connection.query(text);
    return rows as Record<string, unknown>[];
  } finally {
    await connection.end();
  }
}

/** Starts a MariaDB server in a separate folder, on a free port, as a user other than root. */
export async function startMysql(settings: readonly string[] = []): Promise<EngineServer> {
  const home = await mkdtemp(join(tmpdir(), "spillway-mysql-"));
  const folder = join(home, "data");
  const port = await freePort();
  const user = await mysqlUser();
  await mkdir(folder);
  if (user) for (const path of [home, folder]) await chown(path, user.uid, user.gid);
  const options = [
    "--no-defaults",
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    `--datadir=${folder}`,
  ];
  await run(findProgram("mariadb-install-db")!, user ? [...options, "--user=mysql"] : options);

  const root = `mysql://root@127.0.0.1:${port}`;
  const files = [`--datadir=${folder}`, `--socket=${join(home, "socket")}`, `--pid-file=${join(home, "pid")}`];
  const network = [`--port=${port}`, "--bind-address=127.0.0.1", "--skip-name-resolve"];
  const args = ["--no-defaults", ...files, ...network, ...settings.map((setting) => `--${setting}`)];
  const server = await startEngine({
    home,
    folder,
    program: "mariadbd",
    args: () => args,
    isReady: () =>
      queryMysql(`${root}/mysql`, "SELECT 1").then(
        () => true,
        () => false,
      ),
    options: { ...user },
  });
  await queryMysql(`${root}/mysql`, "CREATE DATABASE test");
  return { port, url: `${root}/test`, ...server };
}

/** The user that runs the server if the tests run as root: the one that Debian creates for it. */
async function mysqlUser(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const users = (await readFile("/etc/passwd", "utf8")).split("\n");
  const [, , uid, gid] = users.find((line) => line.startsWith("mysql:"))!.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}
