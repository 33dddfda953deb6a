import { isReachable } from "./ports.ts";

/** The engines and brokers, by the name in the paths of their tests, with their addresses. */
const engines: Readonly<Record<string, { readonly variable: string; readonly url: string }>> = {
  postgres: { variable: "TEST_POSTGRES_URL", url: "postgres://127.0.0.1:5432" },
  mysql: { variable: "TEST_MYSQL_URL", url: "mysql://127.0.0.1:3306" },
  redis: { variable: "TEST_REDIS_URL", url: "redis://127.0.0.1:6379" },
  nats: { variable: "TEST_NATS_URL", url: "nats://127.0.0.1:4222" },
  mqtt: { variable: "TEST_MQTT_URL", url: "mqtt://127.0.0.1:1883" },
  amqp: { variable: "TEST_AMQP_URL", url: "amqp://127.0.0.1:5672" },
};

/**
 * The engines that are not available; prints a notice.
 * @throws {Error} with `CI=true`, where all are expected.
 */
export async function missingEngines(): Promise<string[]> {
  const missing: string[] = [];
  for (const [name, { variable, url }] of Object.entries(engines)) {
    const { hostname, port } = new URL(process.env[variable] ?? url);
    if (await isReachable(hostname, Number(port))) continue;
    const message = `tests against ${name}: nothing listens on ${hostname}:${port} (${variable} names another server)`;
    if (process.env["CI"] === "true") throw new Error(message);
    console.warn(`\nSKIPPED: ${message}\n`);
    missing.push(name);
  }
  return missing;
}

/** Whether an engine is available, as detected by vitest.config.ts. */
export function isPresent({ name }: { readonly name: string }): boolean {
  return !(process.env["MISSING_ENGINES"] ?? "").split(",").includes(name);
}
