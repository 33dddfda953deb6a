/** The buttons: each does something bad, and says what became of the events. */
import { subscribe } from "spillway/client";
import { act, byId, count, getState, isOff, plural, show, turn } from "./control.js";
import { createTally } from "./tally.js";

/**
 * @param {string} origin The gateway's origin.
 * @param {ReturnType<typeof import("./market-connection.js").connectToMarket>} market
 */
export function setUpActions(origin, market) {
  /** The numbers since an event, which the whole page must have received once each. */
  const since = ({ last, missing, twice }) => {
    const { tally } = market;
    const range = `events ${count(last + 1)} to ${count(tally.last)} seen`;
    return `${range}, ${tally.missing - missing} missing, ${tally.twice - twice} twice`;
  };
  /** Resolves when the page has an event of the time after a restart: the source has one every 100 ms. */
  const laterThanRestart = ({ last }, downFor) => market.later(last + Math.ceil(downFor / 100));

  const actions = {
    async "drop"() {
      const before = { ...market.tally };
      const recovery = market.nextRecovery();
      const { duration } = await act("drop");
      const { after, events } = await recovery;
      const resumed = `Resumed after event ${count(after)} with ${plural(events, "missed event")}`;
      return `No network for ${duration / 1000} s. ${resumed}: ${since(before)}.`;
    },

    async "restart-gateway"() {
      const before = { ...market.tally };
      const recovery = market.nextRecovery();
      const { killed, pid, downFor } = await act("restart-gateway");
      const { after } = await recovery;
      await laterThanRestart(before, downFor);
      const restarted = `kill -9 of process ${killed}; process ${pid} served ${count(downFor)} ms later`;
      return `${restarted}. Resumed after event ${count(after)}: ${since(before)}.`;
    },

    async "kill-source"() {
      const before = { ...market.tally };
      const { client } = market;
      const { killed, pid, downFor } = await act("kill-source");
      await laterThanRestart(before, downFor);
      const connection = market.client === client ? "Your connection stayed open" : "Your connection was reopened";
      return `kill -9 of process ${killed}; process ${pid} ran ${count(downFor)} ms later. ${connection}: ${since(before)}.`;
    },

    async "slow-reader"() {
      const fast = { tally: createTally(), took: undefined };
      const started = performance.now();
      const subscription = subscribe(`${origin}/streams/book`, { start: "now" });
      subscription.on("book", ({ data }) => {
        fast.tally.add(data.n);
        if (fast.tally.last === byId("fast").max) fast.took = performance.now() - started;
      });
      const progress = setInterval(() => void showProgress(fast.tally), 200);
      try {
        const slow = await act("slow-reader");
        const seconds = (value) => `${value.toFixed(1)} s`;
        const held = `${Math.round(slow.unsent / 1024)} KiB`;
        return (
          `This page read ${count(fast.tally.received)} events in ${seconds(fast.took / 1000)}, ${fast.tally.missing} missing; ` +
          `the slow reader ${count(slow.received)} in ${seconds(slow.seconds)}, ${slow.missing} missing, ${slow.twice} twice. ` +
          `The gateway had at most ${held} unsent for it.`
        );
      } finally {
        clearInterval(progress);
        await showProgress(fast.tally);
        subscription.close();
      }
    },

    async "gap"() {
      const { market: status } = await getState();
      const [epoch] = status.head.split(".");
      return resumeAfter(`${origin}/streams/market`, `${epoch}.1`);
    },
  };

  for (const [name, action] of Object.entries(actions)) {
    const button = byId(name);
    button.addEventListener("click", async () => {
      if (isOff(button)) return;
      turn(button, "off");
      show(`${name}-result`, "…");
      try {
        show(`${name}-result`, await action());
      } catch (error) {
        show(`${name}-result`, `Failed: ${error.message}`);
      }
      turn(button, "on");
    });
  }
}

async function showProgress({ received }) {
  const { slowReader } = await getState();
  byId("fast").value = received;
  byId("slow").value = slowReader?.received ?? byId("slow").max;
}

/** Subscribes as a client whose last event is this one, until it has caught up. */
async function resumeAfter(url, id) {
  const numberOf = (position) => Number(position.split(".")[1]);
  const tally = createTally();
  const gaps = [];
  const subscription = subscribe(url, { cursor: { load: () => id, save() {} }, onGap: (gap) => void gaps.push(gap) });
  await new Promise((resolve, reject) => {
    subscription.on("trade", (event) => tally.add(numberOf(event.id)));
    subscription.onState((state) => {
      if (state.status === "closed") reject(state.error);
      if (subscription.caughtUp) resolve();
    });
  });
  subscription.close();
  const lost = gaps.reduce((sum, gap) => sum + gap.lost, 0);
  const seen = `events ${count(tally.first)} to ${count(tally.last)} seen, ${tally.missing} missing, ${tally.twice} twice`;
  const announced = `${plural(gaps.length, "gap event")} first: ${plural(lost, "event")} lost (${gaps[0]?.reason ?? "none"})`;
  return `Resumed after event ${numberOf(id)} of the log. ${announced}. Then ${seen}.`;
}
