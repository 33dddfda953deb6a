/**
 * A simulated market: random walks of prices, as trades and quotes.
 *
 * @typedef {{ type: "trade" | "quote", data: Record<string, string | number> }} MarketEvent
 */

const openingPrices = { "btc-usd": 97_250, "eth-usd": 3_410, "sol-usd": 238, "ada-usd": 0.79, "dot-usd": 6.12 };

/** Maximum size of one step, as a share of the price. */
const stepSize = 0.0006;

/** @returns {{ next(): MarketEvent }} */
export function createMarket() {
  const prices = new Map(Object.entries(openingPrices));
  const symbols = [...prices.keys()];

  function walk(symbol) {
    const price = prices.get(symbol) * (1 + (Math.random() - 0.5) * 2 * stepSize);
    prices.set(symbol, price);
    return price;
  }

  return {
    next() {
      const symbol = symbols[Math.floor(Math.random() * symbols.length)];
      const price = walk(symbol);
      const time = new Date().toISOString();
      if (Math.random() < 0.65) {
        const side = Math.random() < 0.5 ? "buy" : "sell";
        return { type: "trade", data: { symbol, price: round(price), size: round(Math.random() * 5), side, time } };
      }
      const spread = price * 0.0002;
      const size = round(Math.random() * 20);
      return { type: "quote", data: { symbol, bid: round(price - spread), ask: round(price + spread), size, time } };
    },
  };
}

function round(value) {
  return Number(value.toPrecision(7));
}
