/** Changes the currency of each trade. */
/** @type {import("spillway").Transform} */
export default function inEuros(event) {
  const trade = /** @type {{ price: number } | undefined} */ (event.json());
  // Not JSON: it passes as it is.
  if (trade === undefined) return event;
  return { data: { ...trade, price: trade.price * 0.92, currency: "EUR" } };
}
