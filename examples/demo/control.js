/** What the page's buttons do: endpoints that kill processes and cut the network. */
import { startSlowReader } from "./slow-reader.js";

/** How long the network is cut, in ms. */
const cutDuration = 5_000;

/**
 * @typedef {object} Parts
 * @property {import("./supervised-process.js").SupervisedProcess} source
 * @property {import("./supervised-process.js").SupervisedProcess} model
 * @property {import("./supervised-process.js").SupervisedProcess} gateway
 * @property {Awaited<ReturnType<typeof import("./network.js").startNetwork>>} network
 * @property {string} key An API key that may publish.
 */

/**
 * Makes the handler of `GET /control/state` and `POST /control/<action>`.
 *
 * @param {Parts} parts
 * @param {(request: import("node:http").IncomingMessage) => boolean} isFromPage
 */
export function createControl({ source, model, gateway, network, key }, isFromPage) {
  let slowReader;

  const actions = {
    "drop": () => network.cut(cutDuration).then(() => ({ duration: cutDuration })),
    "restart-gateway": () => gateway.kill(),
    "kill-source": () => source.kill(),
    "slow-reader": () => {
      slowReader ??= startSlowReader(gateway.origin, key);
      return slowReader.done.finally(() => (slowReader = undefined));
    },
  };

  async function state() {
    const [status, requests] = await Promise.all([
      getJson(`${gateway.origin}/status`),
      getJson(`${model.origin}/requests`),
    ]);
    return {
      /** The gateway as the page reaches it, over a network that can be cut. */
      origin: network.origin,
      dashboard: `${gateway.origin}/dashboard/`,
      processes: { source: source.pid, gateway: gateway.pid, model: model.pid },
      market: status?.streams.market,
      model: requests,
      slowReader: slowReader?.state,
    };
  }

  return async (request, response) => {
    const json = (status, value) =>
      response
        .writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" })
        .end(JSON.stringify(value));
    // Any page on the internet can make a browser send requests to this machine.
    if (!isFromPage(request)) return json(403, { error: "only the demo's own page may do this" });
    const name = request.url.slice("/control/".length);
    try {
      if (request.method === "GET" && name === "state") return json(200, await state());
      if (request.method !== "POST" || !Object.hasOwn(actions, name)) return json(404, { error: "not found" });
      return json(200, await actions[name]());
    } catch (error) {
      return json(500, { error: error.message });
    }
  };
}

/** The JSON at a URL, or `undefined` while its server does not answer. */
async function getJson(url) {
  try {
    return await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).json();
  } catch {
    return undefined;
  }
}
