import { onTestFinished } from "vitest";
import { type NatsServer, startNats } from "../../support/nats.ts";
import { eventually } from "../../support/reader.ts";
import { freePort } from "../../support/ports.ts";

/** Three servers that keep copies of the same streams. */
export interface NatsCluster {
  readonly servers: readonly NatsServer[];
  /** Of a store with three copies of each stream; clients may use any of the servers. */
  readonly url: string;
  /** The server that orders the messages of a stream at the moment, once there is one among these. */
  leader(stream: string, among?: readonly NatsServer[]): Promise<NatsServer>;
}

/** Starts one that is closed with the test. */
export async function clusterForTest(): Promise<NatsCluster> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`);
  const names = ports.map(String);
  // They are ready when they have found each other.
  const servers = await Promise.all(
    routes.map((route, index) =>
      startNats("-n", names[index]!, "--cluster_name", "test", "--cluster", route, "--routes", routes.join()),
    ),
  );
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.remove()))));
  return {
    servers,
    url: `nats://${servers.map(({ port }) => `127.0.0.1:${port}`).join()}?replicas=3`,
    async leader(stream, among = servers) {
      let found: NatsServer | undefined;
      await eventually(async () => {
        for (const server of among) {
          const info = await server.use(({ streams }) => streams.info(stream)).catch(() => undefined);
          found = among[names.indexOf(info?.cluster?.leader ?? "")] ?? found;
        }
        return found !== undefined;
      }, "a leader of the stream");
      return found!;
    },
  };
}
