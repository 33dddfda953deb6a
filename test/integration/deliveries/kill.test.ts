import { writeFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { testPatience } from "../../support/patience.ts";
import { freePort } from "../../support/ports.ts";
import { startCli, type Program } from "../../support/process.ts";
import { eventually } from "../../support/reader.ts";
import { startReceiver, secret } from "../../support/receiver.ts";

/** How often the gateway is killed: `KILL_ROUNDS=200 npx vitest run test/integration/deliveries/kill.test.ts`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 3);

const channels = ["a", "b", "c", undefined];

test(
  `kill -9, ${rounds} times: the endpoint gets every event, and those of a channel in order`,
  { timeout: testPatience + rounds * 10_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "spillway-deliveries-"));
    // One request in ten fails.
    const receiver = await startReceiver((response) => response.writeHead(Math.random() < 0.1 ? 503 : 204).end());
    const [port, file] = [await freePort(), join(folder, "spillway.json")];
    const billing = {
      stream: "orders",
      url: receiver.url,
      sign: { secret },
      allowPrivate: true,
      retry: Array.from({ length: 20 }, () => "5ms"),
    };
    await writeFile(
      file,
      JSON.stringify({
        listen: port,
        store: `sqlite:${folder}/log.db`,
        access: { anonymous: ["publish", "admin"] },
        streams: { orders: {} },
        deliveries: { billing },
      }),
    );
    let program: Program;
    const start = async (): Promise<void> => {
      program = startCli("serve", "--config", file);
      await program.printed('"listening"');
    };
    onTestFinished(async () => {
      await program.kill("SIGKILL");
      await receiver.close();
      await rm(folder, { recursive: true });
    });

    let published = 0;
    /** Publishes the next events; a batch that a kill interrupts is published again with the same key. */
    async function publish(): Promise<void> {
      const events = Array.from({ length: 20 }, (_, index) => ({
        data: published + index,
        channel: channels[(published + index) % channels.length],
      }));
      const headers = { "content-type": "application/json", "idempotency-key": String(published) };
      const request = { method: "POST", headers, body: JSON.stringify(events) };
      await eventually(
        () =>
          fetch(`http://127.0.0.1:${port}/streams/orders/events`, request).then(
            ({ ok }) => ok,
            () => false,
          ),
        "the publish",
      );
      published += events.length;
    }

    await start();
    for (let round = 0; round < rounds; round++) {
      const publishing = publish().then(publish).then(publish);
      const enough = receiver.received.length + 1 + Math.floor(Math.random() * 40);
      await eventually(() => receiver.received.length >= enough, "webhooks");
      await program!.kill("SIGKILL");
      await start();
      await publishing;
    }
    const accepted = (): number[] => receiver.data().map(Number);
    await eventually(() => accepted().length === published, `${published} events at the endpoint`, 50);
    for (let channel = 0; channel < channels.length; channel++) {
      const own = accepted().filter((number) => number % channels.length === channel);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
    expect(receiver.received.every(({ verified }) => verified)).toBe(true);
  },
);
