/** The engines for shared logs, at the addresses that the tests use: their settings, and how to remove the data of a run. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createClient } from "@redis/client";
import mysql from "mysql2/promise";
import pg from "pg";

/**
 * @typedef {object} Engine
 * @property {string} name
 * @property {string} variable of the environment, which names another server
 * @property {string} url without parameters
 * @property {string} parameter of the store's URL: the names of all that a run makes begin with its value
 * @property {() => Promise<string>} version and the settings that decide what a crash takes
 * @property {(place: string) => Promise<void>} remove all that a run made there
 */

const { TEST_POSTGRES_URL, TEST_MYSQL_URL, TEST_REDIS_URL, TEST_NATS_URL } = process.env;

/** @type {Engine} */
const postgres = {
  name: "postgres",
  variable: "TEST_POSTGRES_URL",
  url: TEST_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/test",
  parameter: "schema",
  async version() {
    const [row] = await postgresQuery(
      "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit",
    );
    return `PostgreSQL ${row.version.split(" ")[0]}, fsync ${row.fsync}, synchronous_commit ${row.commit}`;
  },
  async remove(schema) {
    await postgresQuery(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  },
};

async function postgresQuery(/** @type {string} */ text) {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** @type {Engine} */
const mariadb = {
  name: "mysql",
  variable: "TEST_MYSQL_URL",
  url: TEST_MYSQL_URL ?? "mysql://root@127.0.0.1:3306/test",
  parameter: "prefix",
  async version() {
    const [row] = await mysqlQuery(
      "SELECT VERSION() AS version, @@innodb_flush_log_at_trx_commit AS flush, @@log_bin AS log",
    );
    return `${row.version}, innodb_flush_log_at_trx_commit ${row.flush}, log_bin ${row.log}`;
  },
  async remove(prefix) {
    const tables = await mysqlQuery(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND LEFT(table_name, ${prefix.length}) = '${prefix}'`,
    );
    if (tables.length > 0) await mysqlQuery(`DROP TABLE ${tables.map(({ name }) => name).join(", ")}`);
  },
};

async function mysqlQuery(/** @type {string} */ text) {
  const connection = await mysql.createConnection(mariadb.url);
  try {
    const [rows] = await connection.query(text);
    return /** @type {Record<string, any>[]} */ (rows);
  } finally {
    await connection.end();
  }
}

/** @type {Engine} */
const redis = {
  name: "redis",
  variable: "TEST_REDIS_URL",
  url: TEST_REDIS_URL ?? "redis://127.0.0.1:6379",
  parameter: "prefix",
  version: () =>
    withRedis(async (client) => {
      const version = /^redis_version:(\S+)/m.exec(await client.info("server"))?.[1];
      const { appendonly, appendfsync } = await client.configGet(["appendonly", "appendfsync"]);
      return `Redis ${version}, appendonly ${appendonly}${appendonly === "yes" ? `, appendfsync ${appendfsync}` : ""}`;
    }),
  remove: (prefix) =>
    withRedis(async (client) => {
      for await (const keys of client.scanIterator({ MATCH: `{${prefix}:*`, COUNT: 1000 })) {
        if (keys.length > 0) await client.unlink(keys);
      }
    }),
};

function createRedis() {
  const client = createClient({ url: redis.url, socket: { reconnectStrategy: false } });
  // The failing call reports it.
  return client.on("error", () => {});
}

/**
 * @template T
 * @param {(client: ReturnType<typeof createRedis>) => Promise<T>} work
 */
async function withRedis(work) {
  const client = createRedis();
  await client.connect();
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

/** @type {Engine} */
const nats = {
  name: "nats",
  variable: "TEST_NATS_URL",
  url: TEST_NATS_URL ?? "nats://127.0.0.1:4222",
  parameter: "prefix",
  version: () => withNats(async ({ info }) => `nats-server ${info?.version}`),
  remove: (prefix) =>
    withNats(async (connection) => {
      const { streams } = await jetstreamManager(connection);
      for await (const name of streams.names(`${prefix}.>`)) await streams.delete(name);
    }),
};

/**
 * @template T
 * @param {(connection: Awaited<ReturnType<typeof connect>>) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withNats(work) {
  const connection = await connect({ servers: new URL(nats.url).host });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

export const engines = [postgres, mariadb, redis, nats];
