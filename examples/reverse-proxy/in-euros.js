/** Changes the currency of each trade. */
/** @type {import("spillway").Transform<{ price: number }>} */
export default function inEuros(event) {
  const trade = event.json();
  // Not JSON: it passes as it is.
  if (trade === undefined) return event;
  return { data: { ...trade, price: trade.price * 0.92, currency: "EUR" } };
}
