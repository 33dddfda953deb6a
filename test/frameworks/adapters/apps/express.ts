import { createServer } from "node:http";
import express, { type RequestHandler } from "express";
import { spillway } from "../../../../src/adapters/express/index.ts";
import { grantOf, notFound, origin, type Framework } from "../app.ts";
import { compression, cors, express4 } from "./packages.ts";
import { serve } from "./serve.ts";

declare module "express-serve-static-core" {
  interface Request {
    /** Set by the guard. */
    user?: string | undefined;
  }
}

const authenticate: RequestHandler = (request, response, next) => {
  const user = request.get("x-user");
  if (user === "nobody") return void response.status(401).send("who are you?");
  request.user = user;
  next();
};

function toFramework(name: string, create: typeof express): Framework {
  return {
    name,
    keepsBodies: false,
    listens: true,
    start({ gateway, guard, maxDuration }) {
      const app = create();
      app.use(compression(), cors({ origin }), create.json(), create.text());
      if (guard) app.use(authenticate);
      app.get("/hello", (_request, response) => void response.send("hello"));
      const live = spillway(gateway, { maxDuration, grant: guard ? ({ user }) => grantOf(user) : undefined });
      app.use("/live", live);
      const [api, v1] = [create.Router(), create.Router()];
      v1.use("/live", live);
      api.use("/v1", v1);
      app.use("/api", api);
      app.use((_request, response) => void response.status(404).send(notFound));
      return serve(createServer(app), gateway);
    },
  };
}

export const expressFive = toFramework("Express 5", express);
export const expressFour = toFramework("Express 4", express4);
