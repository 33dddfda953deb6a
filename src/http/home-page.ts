import { createHash } from "node:crypto";

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .8rem .3rem 0; }
code, pre, #tail { font: .875rem/1.5 ui-monospace, monospace; }
pre, #tail { overflow: auto; padding: .6rem; border: 1px solid #8886; border-radius: .3rem; margin: .5rem 0; }
#tail { height: 20rem; } #tail div { white-space: pre-wrap; overflow-wrap: anywhere; }
input, button { font: inherit; }
`;

/**
 * The tail reads NDJSON instead of using `EventSource`, which delivers only event types that a page knows by name and
 * cannot send a key. External data is inserted into the page only as text.
 */
const script = String.raw`
"use strict";
const base = location.pathname.replace(/\/+$/, "");
const rows = 200;
const find = (id) => document.getElementById(id);
let key = "", reading;

const headers = (accept) => (key ? { accept, "x-api-key": key } : { accept });
function add(parent, tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return parent.appendChild(element);
}
function curl(name) {
  const credential = key ? ' -H "X-API-Key: $KEY"' : "";
  return "curl -N" + credential + " " + location.origin + base + "/streams/" + name;
}

async function refresh() {
  const response = await fetch(location.pathname, { headers: headers("application/json"), cache: "no-store" });
  const facts = await response.json();
  find("key").hidden = !key && facts.takesCredentials === false;
  if (!response.ok) return show(facts.detail || facts.title, []);
  const none = facts.takesCredentials ? "You have access to no stream. Enter an API key to see the streams that it grants." : "You have access to no stream.";
  show((facts.ready ? "Ready." : "Not ready: see /readyz.") + (facts.streams.length ? "" : " " + none), facts.streams);
}
function show(state, streams) {
  find("state").textContent = state;
  find("streams").hidden = streams.length === 0;
  find("subscribe").textContent = curl(streams.length ? streams[0].name : "<name>");
  const body = find("list");
  body.replaceChildren();
  for (const { name, head, earliest, upstream, paused } of streams) {
    const row = add(body, "tr", "");
    add(add(row, "td", ""), "code", name);
    add(row, "td", earliest);
    add(row, "td", head);
    add(row, "td", paused || upstream || "publish only");
    const button = add(add(row, "td", ""), "button", "Tail");
    button.addEventListener("click", () => follow(name));
  }
}

async function follow(name) {
  if (reading) reading.abort();
  const { signal } = (reading = new AbortController());
  find("live").hidden = false;
  find("name").textContent = name;
  find("curl").textContent = curl(name);
  find("tail").replaceChildren();
  let place = "last=10";
  for (;;) {
    try {
      const url = base + "/streams/" + encodeURIComponent(name) + "?" + place;
      const response = await fetch(url, { headers: headers("application/x-ndjson"), signal });
      if (!response.ok) {
        const { detail, title } = await response.json();
        print(detail || title);
        if (response.status < 500 && response.status !== 429) return;
      } else await read(response, (id) => (place = "after=" + encodeURIComponent(id)));
    } catch (error) {
      if (signal.aborted) return;
    }
    print("Disconnected. Reconnecting in 2 seconds.");
    await new Promise((resolve) => setTimeout(resolve, 2000));
    if (signal.aborted) return;
  }
}
async function read(response, onPlace) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (text + value).split("\n");
    text = lines.pop();
    for (const line of lines) {
      const { id, event, data, channel, time } = JSON.parse(line);
      if (id) onPlace(id);
      if (event !== "spillway.heartbeat") print([time || new Date().toISOString(), id, event, channel, data].filter(Boolean).join("  "));
    }
  }
}
function print(text) {
  const tail = find("tail");
  const atEnd = tail.scrollHeight - tail.scrollTop - tail.clientHeight < 40;
  add(tail, "div", text);
  while (tail.childElementCount > rows) tail.firstElementChild.remove();
  if (atEnd) tail.scrollTop = tail.scrollHeight;
}

find("key").addEventListener("submit", (event) => {
  event.preventDefault();
  key = find("value").value.trim();
  refresh();
});
find("publish").textContent =
  "curl -H 'Content-Type: application/json' -d '{\"data\":\"hello\"}' " + location.origin + base + "/streams/<name>/events";
refresh();
`;

const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/**
 * The `Content-Security-Policy` of {@link homePage}: allows only the inline script and style, and requests to the same
 * origin.
 */
export const homePolicy: string = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "img-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The page at the root of a gateway. It is self-contained. */
export const homePage: string = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Spillway</title>
<link rel="icon" href="data:,">
<style>${style}</style>
<h1>Spillway</h1>
<p id="state" role="status">Loading…</p>
<noscript>This page needs JavaScript. Send <code>Accept: application/json</code> to get the same data as JSON.</noscript>
<form id="key" hidden>
  <label>API key <input id="value" type="password" autocomplete="off"></label>
  <button>Use</button>
</form>
<section id="streams" hidden>
  <h2>Streams</h2>
  <table>
    <thead><tr><th>name<th>earliest<th>head<th>source<th></tr></thead>
    <tbody id="list"></tbody>
  </table>
</section>
<section id="live" hidden>
  <h2>Live: <code id="name"></code></h2>
  <pre id="curl"></pre>
  <div id="tail" role="log" aria-label="Events" tabindex="0"></div>
</section>
<section>
  <h2>Next steps</h2>
  <ul>
    <li>Subscribe: <code id="subscribe"></code>
    <li>Replay: add <code>?after=earliest</code>, <code>?last=10</code> or <code>?since=2027-01-31T09:00:00Z</code>.
    <li>Filter: add <code>?channels=a,b</code>, <code>?channels=user:*</code> or <code>?events=trade</code>.
    <li>Publish (needs the right <code>publish</code>): <code id="publish"></code>
    <li>Monitor (needs the right <code>admin</code>): <code>/status</code> and <code>/metrics</code>.
    <li>Serve your own page here: set <code>static: ./html</code> in the configuration.
  </ul>
</section>
<script>${script}</script>
</html>
`;
