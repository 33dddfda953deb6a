/** Which of the open tabs is connected. */
import { byId, getState, plural, show } from "./control.js";

const prefix = "demo-tab-";
const ownName = `${prefix}${crypto.randomUUID()}`;

/** Holds a lock for as long as the tab is open, so that tabs can be counted. */
export function joinTabs() {
  void navigator.locks.request(ownName, () => new Promise(() => {}));
  byId("tab").href = location.href;
}

/** The client of the leading tab holds a lock whose name contains the URL of the stream. */
export async function showTabs(url) {
  const [{ held }, { market }] = await Promise.all([navigator.locks.query(), getState()]);
  const tabs = held.filter(({ name }) => name.startsWith(prefix)).length;
  const own = held.find(({ name }) => name === ownName)?.clientId;
  const leader = held.find(({ name }) => name.startsWith("spillway ") && name.includes(url))?.clientId;
  const role =
    leader === own ? "This tab leads: it has the connection" : "Another tab leads and passes events on to this one";
  const connections = market ? plural(market.subscribers, "connection") : "no answer";
  show("tab-result", `${role}. ${plural(tabs, "tab")}; the gateway counts ${connections} to this stream.`);
}
