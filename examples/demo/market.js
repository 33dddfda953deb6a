/**
 * A simulated market. An event is computed from its number alone, so a source that was killed can still send the events of the
 * time in which it did not run, like an exchange with a history.
 *
 * @typedef {{ n: number, symbol: string, price: number, size: number, side: "buy" | "sell" }} Trade
 */

const openingPrices = Object.entries({
  "btc-usd": 97_250,
  "eth-usd": 3_410,
  "sol-usd": 238,
  "ada-usd": 0.79,
  "dot-usd": 6.12,
});

/** Time between two events, in ms. */
export const interval = 100;

/** The number of the latest event at this time. */
export function numberAt(time) {
  return Math.floor((time - Date.UTC(2026, 0, 1)) / interval);
}

/** @returns {{ type: "trade", data: Trade }} */
export function eventAt(n) {
  const which = Math.floor(noise(n) * openingPrices.length);
  const [symbol, opening] = openingPrices[which];
  const price = opening * (1 + swing(n, which) + (noise(n + 0.1) - 0.5) / 1500);
  const size = round(noise(n + 0.2) * 5);
  return { type: "trade", data: { n, symbol, price: round(price), size, side: noise(n + 0.3) < 0.5 ? "buy" : "sell" } };
}

/** How far a price is from its opening, as a share of it. */
function swing(n, phase) {
  return 0.012 * Math.sin(n / 6100 + phase) + 0.004 * Math.sin(n / 470 + 2 * phase) + 0.0012 * Math.sin(n / 83 - phase);
}

/** A number from 0 to 1 that looks random. */
function noise(n) {
  const value = Math.sin(n * 12.9898) * 43_758.5453;
  return value - Math.floor(value);
}

function round(value) {
  return Number(value.toPrecision(7));
}
