/** The run panel: a question to a model, whose answer survives reloads. */
import { subscribe } from "spillway/client";
import { byId, count, getState, isOff, plural, show, turn } from "./control.js";
import { createTally } from "./tally.js";

/** The run of this page is in its address, so that a reload and a second tab find it. */
const runInAddress = () => new URLSearchParams(location.hash.slice(1)).get("run");

/** @param {string} origin The gateway's origin. */
export function setUpRun(origin) {
  /** @type {import("spillway/client").Subscription | undefined} */
  let subscription;

  byId("run").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isOff(byId("ask"))) return;
    setButtons(true);
    try {
      const response = await fetch(`${origin}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          model: "demo",
          stream: true,
          messages: [{ role: "user", content: byId("question").value }],
        }),
      });
      if (!response.ok) throw new Error(`the gateway answered with ${response.status}`);
      const run = response.headers.get("spillway-run");
      // The run goes on without this connection. Whether the page is loaded, reloaded or opened again, it follows the run.
      await response.body.cancel();
      history.replaceState(null, "", `#run=${run}`);
      follow(run, "Asked");
    } catch (error) {
      setButtons(false);
      show("run-result", `Failed: ${error.message}`);
    }
  });

  byId("stop").addEventListener("click", async () => {
    if (isOff(byId("stop"))) return;
    turn(byId("stop"), "off");
    await fetch(`${origin}/runs/${runInAddress()}`, { method: "DELETE" });
  });

  /** Shows a run from its beginning until its end. */
  function follow(run, how) {
    subscription?.close();
    const url = `${origin}/runs/${run}`;
    const answer = { how, tally: createTally(), stored: 0, tokens: undefined, requests: new Set() };
    const own = (subscription = subscribe(url, { backoff: { min: 100, max: 500 } }));
    setButtons(true);
    byId("answer").textContent = "";
    byId("tab-of-run").href = location.href;
    own.on("message", async ({ data }) => {
      // An error means that the run was cut short: the gateway was killed, for example.
      if (data === "[DONE]" || data.error) return end(url, answer);
      const { id, token, choices, usage } = data;
      answer.requests.add(id);
      if (usage) answer.tokens = usage.completion_tokens;
      if (token === undefined || !answer.tally.add(token)) return;
      byId("answer").append(choices[0].delta.content);
      show("run-tokens", plural(token, "token"));
    });
    own.onState((state) => {
      if (state.status === "closed" && state.error)
        show("run-result", `The run cannot be shown: ${state.error.message}`);
      if (state.status === "closed" && own === subscription) setButtons(false);
    });
    void sayWhereItBegan(url, answer);
  }

  async function end(url, answer) {
    subscription.close();
    show("run-result", await describe(url, answer));
  }

  if (runInAddress()) follow(runInAddress(), "Rejoined");
}

/** A page that joins says how much of the answer was there already. */
async function sayWhereItBegan(url, answer) {
  const run = await getRun(url);
  if (run.state !== "running") return;
  answer.stored = run.events ?? 0;
  show(
    "run-result",
    `${answer.how}: ${plural(answer.stored, "token")} stored so far, the rest follows as it is written.`,
  );
}

/** What happened to a run that has ended. */
async function describe(url, { how, stored, tally, tokens, requests }) {
  const [{ state }, { model }] = await Promise.all([getRun(url), getState()]);
  const range = `tokens ${count(tally.first)} to ${count(tally.last)}${tokens ? ` of ${count(tokens)}` : ""}`;
  const seen = `${range}, ${tally.missing} missing, ${tally.twice} twice`;
  const asked = `All from one request to the model (${[...requests].join(", ")}); it answers ${plural(model.open, "request")} now.`;
  return `${how} with ${plural(stored, "token")} stored; ${state}: ${seen}. ${asked}`;
}

async function getRun(url) {
  const response = await fetch(url, { headers: { accept: "application/json" } });
  return response.json();
}

function setButtons(isRunning) {
  turn(byId("ask"), isRunning ? "off" : "on");
  turn(byId("stop"), isRunning ? "on" : "off");
  byId("tab-of-run").hidden = !runInAddress();
}
