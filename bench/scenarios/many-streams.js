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
    `request of its own over ${publishers} connections. Streams on demand are idle once the server has closed them; their memory is what the ` +
    "server has more than after as many events of one stream. All of them were open at once, and the process keeps much of that memory.",
  needs: [],
  within: "spillway",
  variants: [
    { name: "1 stream", numbers: { clients: 0, streams: 1, seconds: 10 } },
    { name: "100 streams", numbers: { clients: 0, streams: 100, seconds: 10 } },
    { name: "1,000 streams", numbers: { clients: 0, streams: 1000, seconds: 10 } },
    { name: "1,000 streams, 2 workers", numbers: { clients: 0, streams: 1000, seconds: 10, workers: 2 } },
    { name: "10,000 streams on demand", numbers: { clients: 0, streams: 1, onDemand: 10_000, seconds: 10 } },
  ],
  small: [
    { name: "50 streams", numbers: { clients: 0, streams: 50, seconds: 0.2 } },
    { name: "50 streams on demand", numbers: { clients: 0, streams: 1, onDemand: 50, seconds: 0.2 } },
  ],
  columns: [
    { key: "startCpu", title: "start, CPU ms", digits: 0 },
    { key: "started", title: "start, ms", digits: 0 },
    { key: "idle", title: "CPU ms/s while idle", digits: 1 },
    { key: "perStream", title: "RSS kB per stream on demand, since its peak", digits: 1 },
    { key: "published", title: "one event to each, ms", digits: 0 },
    { key: "publishCpu", title: "CPU µs per event", digits: 0 },
  ],
  async run({ running, measure, rss }, { streams = 0, onDemand = 0, seconds = 0 }) {
    const { after = 0, cpu: startCpu = 0 } = running.started ?? {};
    const agent = new Agent({ keepAlive: true, maxSockets: publishers });
    const configured = Array.from({ length: streams }, (_, index) => `s${index + 1}`);
    const made = Array.from({ length: onDemand }, (_, index) => `d-${index + 1}`);
    const names = onDemand > 0 ? made : configured;
    let perStream = 0;
    if (onDemand > 0) {
      await publishToEach(
        running.url,
        made.map(() => "s1"),
        agent,
      );
      const before = rss();
      await publishToEach(running.url, made, agent);
      await untilClosed(running.url);
      // The memory of the requests is only free for others once it is needed.
      await publishToEach(
        running.url,
        made.map(() => "s1"),
        agent,
      );
      perStream = (rss() - before) / onDemand / 1000;
    }
    await setTimeout(settle * 5);
    const idle = await measure(() => setTimeout(seconds * 1000));
    /** @type {string[]} */
    let ids = onDemand > 0 ? [] : await publishToEach(running.url, names, agent);
    const measured = await measure(async () => {
      for (let round = 1; round < rounds; round++) ids = await publishToEach(running.url, names, agent);
    });
    agent.destroy();
    return {
      perStream,
      idle: idle.cpu / 1000 / idle.seconds,
      started: after,
      startCpu: startCpu / 1000,
      published: (measured.seconds * 1000) / (rounds - 1),
      publishCpu: measured.cpu / names.length / (rounds - 1),
      lost: ids.filter((id) => !id.endsWith(`.${rounds}`)).length,
      duplicates: 0,
      disordered: 0,
      refused: 0,
      closed: 0,
    };
  },
};

/**
 * Resolves once no stream that was made on demand is open.
 * @param {string} url
 */
async function untilClosed(url) {
  for (;;) {
    const { onDemand } = /** @type {any} */ (await (await fetch(`${url}/status`)).json());
    if (onDemand["d-*"].open === 0) return;
    await setTimeout(200);
  }
}

/**
 * Publishes one event to each stream and resolves to their ids.
 * @param {string} url
 * @param {readonly string[]} names
 * @param {Agent} agent
 */
function publishToEach(url, names, agent) {
  return Promise.all(names.map((name) => publish(`${url}/streams/${name}/events`, agent)));
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
