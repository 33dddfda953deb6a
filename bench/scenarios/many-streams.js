import { Agent, request } from "node:http";
import { setTimeout } from "node:timers/promises";
import { settle } from "./metrics.js";

/** Number of events published to each stream; the first one is not measured. */
const rounds = 4;
/** Connections that publish. */
const publishers = 64;

/** @type {import("../types.d.ts").Scenario} */
export const manyStreams = {
  name: "many-streams",
  text:
    "What streams cost that are configured, while nothing happens and when one event is published to each of them at once, each by a " +
    `request of its own over ${publishers} connections.`,
  needs: [],
  within: "spillway",
  variants: [
    { name: "1 stream", numbers: { clients: 0, streams: 1, seconds: 10 } },
    { name: "100 streams", numbers: { clients: 0, streams: 100, seconds: 10 } },
    { name: "1,000 streams", numbers: { clients: 0, streams: 1000, seconds: 10 } },
    { name: "1,000 streams, 2 workers", numbers: { clients: 0, streams: 1000, seconds: 10, workers: 2 } },
  ],
  small: [{ name: "50 streams", numbers: { clients: 0, streams: 50, seconds: 0.2 } }],
  columns: [
    { key: "startCpu", title: "start, CPU ms", digits: 0 },
    { key: "started", title: "start, ms", digits: 0 },
    { key: "idle", title: "CPU ms/s while idle", digits: 1 },
    { key: "published", title: "one event to each, ms", digits: 0 },
    { key: "publishCpu", title: "CPU µs per event", digits: 0 },
  ],
  async run({ running, measure }, { streams = 0, seconds = 0 }) {
    const { after = 0, cpu: startCpu = 0 } = running.started ?? {};
    await setTimeout(settle * 5);
    const idle = await measure(() => setTimeout(seconds * 1000));
    const agent = new Agent({ keepAlive: true, maxSockets: publishers });
    /** @type {string[]} */
    let ids = await publishToEach(running.url, streams, agent);
    const measured = await measure(async () => {
      for (let round = 1; round < rounds; round++) ids = await publishToEach(running.url, streams, agent);
    });
    agent.destroy();
    return {
      idle: idle.cpu / 1000 / idle.seconds,
      started: after,
      startCpu: startCpu / 1000,
      published: (measured.seconds * 1000) / (rounds - 1),
      publishCpu: measured.cpu / streams / (rounds - 1),
      lost: ids.filter((id) => !id.endsWith(`.${rounds}`)).length,
      duplicates: 0,
      disordered: 0,
      refused: 0,
      closed: 0,
    };
  },
};

/**
 * Publishes one event to each stream and resolves to their ids.
 * @param {string} url
 * @param {number} streams
 * @param {Agent} agent
 */
function publishToEach(url, streams, agent) {
  return Promise.all(
    Array.from({ length: streams }, (_, index) => publish(`${url}/streams/s${index + 1}/events`, agent)),
  );
}

/**
 * @param {string} url
 * @param {Agent} agent
 * @returns {Promise<string>} the id of the event
 */
function publish(url, agent) {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: "POST", agent, headers: { "content-type": "application/json" } },
      (response) => {
        let body = "";
        response.on("data", (chunk) => (body += chunk));
        response.on("end", () => resolve(JSON.parse(body).ids?.[0] ?? body));
      },
    );
    sent.on("error", reject);
    sent.end(JSON.stringify({ data: "x".repeat(200) }));
  });
}
