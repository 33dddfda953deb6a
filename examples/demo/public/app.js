/** The demo page: shows the market, and what the demo's processes do. */
import { setUpActions } from "./actions.js";
import { createChart } from "./chart.js";
import { byId, count, getState, plural, show } from "./control.js";
import { connectToMarket } from "./market-connection.js";
import { setUpRun } from "./run.js";
import { joinTabs, showTabs } from "./tabs.js";

const stateInterval = 2_000;
/** How many events the charts begin with. */
const history = 600;

const { origin, dashboard } = await getState();
const stream = `${origin}/streams/market`;
/** @type {Map<string, ReturnType<typeof createTicker>>} */
const tickers = new Map();

/** A symbol's card: its last price, the change since the page was opened, and a chart. */
function createTicker(symbol) {
  const card = byId("ticker").content.firstElementChild.cloneNode(true);
  const [title, last, change, canvas] = ["h3", ".big", ".change", "canvas"].map((each) => card.querySelector(each));
  const chart = createChart(canvas);
  let first;
  title.textContent = symbol;
  const list = byId("tickers");
  list.insertBefore(card, [...list.children].find(({ textContent }) => textContent.trim() > symbol) ?? null);
  return {
    add(price, wasReplayed) {
      first ??= price;
      const percent = (price / first - 1) * 100;
      last.textContent = price.toLocaleString("en", { minimumFractionDigits: price < 10 ? 4 : 2 });
      change.textContent = `${percent < 0 ? "▼" : "▲"} ${Math.abs(percent).toFixed(2)} %`;
      card.dataset.trend = percent < 0 ? "down" : "up";
      chart.add(price, wasReplayed);
    },
  };
}

function onTrade({ symbol, price }, wasReplayed) {
  if (!tickers.has(symbol)) tickers.set(symbol, createTicker(symbol));
  tickers.get(symbol).add(price, wasReplayed);
}

function showTally({ first, last, received, missing, twice, announced }) {
  if (first === undefined) return;
  show("seen", `${count(first)} to ${count(last)}`);
  for (const [id, value] of Object.entries({ received, missing, twice, announced })) show(id, count(value));
}

async function showState() {
  if (document.hidden) return;
  const { processes, market } = await getState();
  for (const [name, pid] of Object.entries(processes)) show(`${name}-pid`, pid ? `process ${pid}` : "not running");
  show("source-state", market?.upstream.state ?? "unknown");
  show("log-events", market ? count(market.events) : "–");
  show("subscribers", market ? plural(market.subscribers, "client") : "–");
  await showTabs(stream);
}

/** What the charts begin with. The subscription continues with the events that follow. */
async function loadHistory() {
  const response = await fetch(`${stream}?last=${history}&limit=${history}`, {
    headers: { accept: "application/json" },
  });
  const { events } = await response.json();
  for (const { data } of events) onTrade(JSON.parse(data), false);
}

/** Marks the order of events for the browser's performance tools, and for the demo's test. */
const markPainted = (name) => requestAnimationFrame(() => performance.mark(name));

performance.mark("page started");
joinTabs();
await loadHistory();
markPainted("history painted");
const market = connectToMarket(stream, onTrade, (text, state) => {
  show("state", text);
  byId("state").dataset.state = state;
});
setUpActions(origin, market);
setUpRun(origin);
byId("dashboard").href = dashboard;
show("curl", `curl -N ${stream}`);
setInterval(() => showTally(market.tally), 250);
void market.later(0).then(() => markPainted("first live event painted"));
void showState();
setInterval(() => void showState().catch(() => show("state", "the demo was stopped")), stateInterval);
