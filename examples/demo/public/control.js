/** The demo's own server: it says what runs, and carries out what the buttons ask for. */

const number = new Intl.NumberFormat("en");

export const byId = (id) => document.getElementById(id);
export const count = (value) => number.format(value);
export const plural = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

/** Writes a text only if it has changed, so that screen readers do not repeat it. */
export function show(id, text) {
  const element = byId(id);
  if (element.textContent !== String(text)) element.textContent = text;
}

/** Turns a button off or on. It stays focusable, so that the keyboard does not lose its place. */
export const turn = (button, how) => button.setAttribute("aria-disabled", String(how === "off"));
export const isOff = (button) => button.getAttribute("aria-disabled") === "true";

export async function getState() {
  return request("/control/state", "GET");
}

/** Resolves when it is done: for example when a process that was killed runs again. */
export async function act(name) {
  return request(`/control/${name}`, "POST");
}

async function request(url, method) {
  const response = await fetch(url, { method });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}
