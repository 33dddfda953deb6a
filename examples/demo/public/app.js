/** The demo page: one EventSource on the gateway, and what it says put on screen. */

const streamPath = "/streams/market";
const eventTypes = ["trade", "quote"];
const maxRows = 100;
const firstLook = 25;
const dropSeconds = 5;
const retryDelay = 2000;
const statusInterval = 2000;
const sparkLength = 60;

const byId = (id) => document.getElementById(id);
const show = (id, value) => (byId(id).textContent = String(value));
const count = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const channelFilter = byId("channel");
const invitation = byId("note").textContent;

// --- The connection ---------------------------------------------------------------------------------------------

/** @type {EventSource | undefined} */
let source;
let retryTimer;
let lastId = "";
/** The epoch and sequence number of the last event, the log's head when we connected, and what was counted since. */
let position;
let head = 0;
let received = 0;
let replayed = 0;
let missing = 0;
let twice = 0;
let connections = 0;

/** An id is `<epoch>.<seq>`; only this page, which shows how delivery works, looks into it. */
function parseId(id) {
  const dot = id.lastIndexOf(".");
  return { epoch: id.slice(0, dot), seq: Number(id.slice(dot + 1)) };
}

/** Opens the stream behind `lastId`, or with the last few events where there is none. */
function connect() {
  clearTimeout(retryTimer);
  source?.close();
  const query = new URLSearchParams(lastId ? { "last-event-id": lastId } : { last: firstLook });
  if (channelFilter.value) query.set("channels", channelFilter.value);
  source = new EventSource(`${streamPath}?${query}`);
  setState("connecting");
  source.addEventListener("error", onError);
  source.addEventListener("connected", (event) => onConnected(JSON.parse(event.data)));
  for (const type of eventTypes) source.addEventListener(type, onEvent);
  for (const [name, tell] of Object.entries(controls)) {
    source.addEventListener(name, (event) => onControl(event, tell(JSON.parse(event.data))));
  }
}

/** A broken stream is reopened by the browser, with its last event id; one that was refused is left to us. */
function onError() {
  setState("reconnecting");
  if (source.readyState === EventSource.CLOSED) retryTimer = setTimeout(connect, retryDelay);
}

function onConnected(connected) {
  const start = parseId(connected.cursor);
  // A start that is not where we stopped is a hole, or a new log.
  if (position?.epoch === start.epoch && connections > 0 && !channelFilter.value) {
    missing += Math.max(0, start.seq - position.seq);
  }
  position = start;
  head = parseId(connected.head).seq;
  replayed = 0;
  connections += 1;
  show("replayed-label", connections === 1 ? "Replayed at start" : "Replayed after reconnect");
  setState("live");
  render();
  void showStatus();
}

/** Moves our position to an event's id and keeps count; returns whether the event was replayed. */
function follow(id) {
  const { seq } = parseId(id);
  if (seq <= position.seq) twice += 1;
  else if (!channelFilter.value) missing += seq - position.seq - 1;
  position.seq = seq;
  lastId = id;
  if (seq > head) return false;
  replayed += 1;
  return true;
}

function onEvent(event) {
  received += 1;
  const wasReplayed = follow(event.lastEventId);
  const data = JSON.parse(event.data);
  addRow({ type: event.type, data, id: event.lastEventId, replayed: wasReplayed });
  if (event.type === "trade") tickers.get(data.symbol)?.add(data.price);
}

/** What Spillway's own events say, in words. */
const controls = {
  "spillway.gap": ({ reason, lost }) => `A gap (${reason}): ${lost ?? "an unknown number of"} events are gone.`,
  "spillway.reset": () => "The log was started anew: what was known before is void.",
  "spillway.upstream": ({ state }) => (state === "open" ? "The feed is back." : `The feed's connection: ${state}.`),
  "spillway.bye": ({ reason, retry }) => `The gateway says goodbye (${reason}) and asks us back in ${retry} ms.`,
};

function onControl(event, text) {
  // Only those that stand in the log have an id of their own; the others show that of the event before them.
  if (event.lastEventId && event.lastEventId !== lastId) follow(event.lastEventId);
  addRow({ type: event.type, notice: text });
}

/** Hangs up for a while, as a lost network would. */
function drop() {
  source.close();
  clearTimeout(retryTimer);
  const button = byId("drop");
  button.disabled = true;
  setState("dropped");
  let left = dropSeconds;
  const countDown = () => {
    button.textContent = `Back in ${left} s`;
    if (left-- > 0) return setTimeout(countDown, 1000);
    button.disabled = false;
    button.textContent = "Drop my connection";
    return connect();
  };
  countDown();
}

/** Another filter is another view: the page begins anew with it. */
function changeChannel() {
  lastId = "";
  position = undefined;
  connections = 0;
  pending.length = 0;
  byId("rows").replaceChildren();
  if (!byId("drop").disabled) connect();
}

// --- The screen -------------------------------------------------------------------------------------------------

function setState(state) {
  const badge = byId("state");
  badge.dataset.state = state;
  badge.textContent = state;
}

/** Rows wait here for the next frame, oldest first; what would scroll out at once is not kept. */
const pending = [];
let frame = 0;

function addRow(row) {
  pending.push(row);
  if (pending.length > maxRows) pending.shift();
  render();
}

function render() {
  frame ||= requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  const rows = byId("rows");
  for (const row of pending.splice(0)) rows.prepend(row.notice ? noticeRow(row) : eventRow(row));
  while (rows.childElementCount > maxRows) rows.lastElementChild.remove();
  for (const ticker of tickers.values()) ticker.draw();
  show("last-id", lastId || "–");
  show("received", count.format(received));
  show("replayed", count.format(replayed));
  show("missing", count.format(missing));
  show("twice", count.format(twice));
  sayOnce("note", connections > 1 ? outcome() : invitation);
}

/** How the last reconnect went. */
function outcome() {
  const missed = replayed === 1 ? "1 missed event was" : `${count.format(replayed)} missed events were`;
  return `Back again: ${missed} replayed before the stream went on. Missing ${missing}, twice ${twice}.`;
}

/** Spares a screen reader what it has read already. */
function sayOnce(id, text) {
  if (byId(id).textContent !== text) show(id, text);
}

function eventRow({ type, data, id, replayed: wasReplayed }) {
  const row = byId("row").content.firstElementChild.cloneNode(true);
  const fill = (name, text) => (row.querySelector(`.${name}`).textContent = text);
  row.classList.toggle("replayed", wasReplayed);
  row.dataset.type = type;
  if (data.side) row.dataset.side = data.side;
  fill("time", clock.format(new Date(data.time)));
  fill("type", data.side ?? type);
  fill("channel", data.symbol);
  fill("price", type === "quote" ? `${price(data.bid)} – ${price(data.ask)}` : price(data.price));
  fill("size", data.size.toFixed(2));
  fill("id", id);
  return row;
}

function noticeRow({ type, notice }) {
  const row = document.createElement("tr");
  row.className = "notice";
  row.insertCell().textContent = clock.format(new Date());
  const cell = row.insertCell();
  cell.colSpan = 5;
  const name = document.createElement("code");
  name.textContent = type;
  cell.append(name, ` ${notice}`);
  return row;
}

function price(value) {
  const digits = value < 10 ? 4 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A symbol's card: last price, change since the page was opened, and the latest trades as a line. */
function createTicker(symbol) {
  const card = byId("ticker").content.firstElementChild.cloneNode(true);
  const [last, change, line] = [".big", ".change", "polyline"].map((selector) => card.querySelector(selector));
  const prices = [];
  let first;
  let changed = false;
  card.querySelector("h2").textContent = symbol;
  byId("tickers").append(card);

  return {
    add(value) {
      first ??= value;
      prices.push(value);
      if (prices.length > sparkLength) prices.shift();
      changed = true;
    },
    draw() {
      if (!changed) return;
      changed = false;
      const now = prices.at(-1);
      const percent = (now / first - 1) * 100;
      last.textContent = price(now);
      change.textContent = `${percent < 0 ? "▼" : "▲"} ${Math.abs(percent).toFixed(2)} %`;
      card.dataset.trend = percent < 0 ? "down" : "up";
      line.setAttribute("points", points(prices));
    },
  };
}

function points(prices) {
  const low = Math.min(...prices);
  const range = Math.max(...prices) - low || 1;
  const place = (value, index) =>
    `${(index / Math.max(1, prices.length - 1)) * 100},${26 - ((value - low) / range) * 24}`;
  return prices.map(place).join(" ");
}

// --- The gateway's own view -------------------------------------------------------------------------------------

async function showStatus() {
  if (document.hidden) return;
  try {
    const { streams } = await (await fetch("/status")).json();
    const { upstream, subscribers, events } = streams.market;
    show("upstream-state", upstream.state);
    show("upstream-reconnects", count.format(upstream.reconnects));
    show("log-events", count.format(events));
    show("subscribers", count.format(subscribers));
  } catch {
    show("upstream-state", "–");
    show("subscribers", "–");
  }
}

const symbols = [...channelFilter.options].map((option) => option.value).filter(Boolean);
const tickers = new Map(symbols.map((symbol) => [symbol, createTicker(symbol)]));
byId("drop").addEventListener("click", drop);
channelFilter.addEventListener("change", changeChannel);
show("curl", `curl -N ${location.origin}${streamPath}`);
connect();
void showStatus();
setInterval(showStatus, statusInterval);
