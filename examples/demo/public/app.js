/** The demo page: subscribes to the gateway with one EventSource and shows its events. */

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
/** The epoch and sequence number of the last event, the log's head at the time of connecting, and counters since then. */
let position;
let head = 0;
let received = 0;
let replayed = 0;
let missing = 0;
let twice = 0;
let connections = 0;

/** An id is `<epoch>.<seq>`. Ordinary clients should not parse it; this page does to show how delivery works. */
function parseId(id) {
  const dot = id.lastIndexOf(".");
  return { epoch: id.slice(0, dot), seq: Number(id.slice(dot + 1)) };
}

/** Opens the stream after `lastId`, or with the last few events if there is no last id. */
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

/** The browser reopens a broken stream with its last event id. It does not retry a refused one, so the page does. */
function onError() {
  setState("reconnecting");
  if (source.readyState === EventSource.CLOSED) retryTimer = setTimeout(connect, retryDelay);
}

function onConnected(connected) {
  const start = parseId(connected.cursor);
  // A start at another position than the last one is a gap, or a new log.
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

/** Moves the position to an event's id and updates the counters. Returns whether the event was replayed. */
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

/** Texts for Spillway's control events. */
const controls = {
  "spillway.gap": ({ reason, lost }) => `A gap (${reason}): ${lost ?? "an unknown number of"} events were lost.`,
  "spillway.reset": () => "The log was reset: earlier events and positions are no longer valid.",
  "spillway.upstream": ({ state }) =>
    state === "open" ? "The feed is back." : `The connection to the feed: ${state}.`,
  "spillway.bye": ({ reason, retry }) =>
    `The gateway closed the stream (${reason}) and asks clients to reconnect in ${retry} ms.`,
};

function onControl(event, text) {
  // Only control events in the log have their own id; others have the id of the preceding event.
  if (event.lastEventId && event.lastEventId !== lastId) follow(event.lastEventId);
  addRow({ type: event.type, notice: text });
}

/** Disconnects for a while, to simulate a network failure. */
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

/** Starts again with another filter. */
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

/** Rows for the next frame, oldest first. Rows that would scroll out immediately are dropped. */
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

/** The result of the last reconnect. */
function outcome() {
  const missed = replayed === 1 ? "1 missed event was" : `${count.format(replayed)} missed events were`;
  return `Reconnected: ${missed} replayed before live events. Missing: ${missing}, duplicates: ${twice}.`;
}

/** Updates the text only if it changed, so that screen readers do not repeat it. */
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
