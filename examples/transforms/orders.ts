import type { Transform } from "spillway";

interface Order {
  readonly customer: string;
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
  readonly test?: boolean;
}

/** Makes an event of each item of an order, for the channel of the customer. */
const transform: Transform<Order> = (event) => {
  const order = event.json();
  // Not JSON: it is stored unchanged.
  if (order === undefined) return event;
  // Dropped.
  if (order.test) return undefined;
  return order.items.map((item) => ({ event: "item", data: item, channel: `customer:${order.customer}` }));
};

export default transform;
