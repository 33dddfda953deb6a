/** The stream's events, for the server and for browsers. */
import { defineStream } from "spillway/events";
import { z } from "zod";

export const prices = defineStream("prices", {
  events: {
    trade: z.object({ symbol: z.string(), price: z.number().positive() }),
    halt: z.object({ symbol: z.string(), reason: z.string() }),
  },
  channels: ["asset:{symbol}"],
});
