/** The page's subscription to the market, with everything counted. */
import { subscribeShared } from "spillway/client";
import { createTally } from "./tally.js";

/**
 * @param {string} url The stream's URL.
 * @param {(trade: { n: number, symbol: string, price: number }, wasReplayed: boolean) => void} onTrade
 * @param {(text: string, state: string) => void} onState
 */
export function connectToMarket(url, onTrade, onState) {
  const tally = createTally();
  /** What was replayed since the connection was lost; `undefined` while it is not. */
  let replay;
  let recovered = () => {};
  let waiting = [];

  const subscription = subscribeShared(url, {
    backoff: { min: 100, max: 500 },
    onGap: () => void (tally.expectsGap = true),
  });

  subscription.on("trade", ({ data }) => {
    if (tally.add(data.n)) onTrade(data, replay !== undefined);
    if (replay) replay.events++;
    waiting = waiting.filter(({ n, resolve }) => data.n <= n || resolve());
  });

  subscription.onState((state) => {
    if (state.status !== "open") replay ??= tally.first === undefined ? undefined : { after: tally.last, events: 0 };
    else if (state.caughtUp && replay) {
      recovered(replay);
      replay = undefined;
    }
    const isStale = state.status === "open" && state.upstream !== "open";
    const text = { open: isStale ? "source is down" : "live", waiting: "reconnecting" }[state.status] ?? state.status;
    onState(text, isStale ? "stale" : state.status);
  });

  return {
    tally,
    /** The id of the connection at the gateway. */
    get client() {
      return subscription.state.client;
    },
    /** Resolves after the next reconnect, when everything that was missed has been received. */
    nextRecovery: () => new Promise((resolve) => (recovered = resolve)),
    /** Resolves when an event with a later number was received. */
    later: (n) => new Promise((resolve) => waiting.push({ n, resolve })),
  };
}
