import { createRoute } from "spillway/next";
import { grant } from "../../../lib/grant.js";

globalThis.findUser = (session) => Promise.resolve(session === "of-ada" ? { id: "ada" } : undefined);

export const { GET, POST } = createRoute(
  { store: "memory:", streams: { orders: {} } },
  { name: "private", mount: "/private", grant },
);
