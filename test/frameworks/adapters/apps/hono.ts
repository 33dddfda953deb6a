import { Hono } from "hono";
import { compress } from "hono/compress";
import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import { spillway } from "../../../../src/adapters/hono/index.ts";
import { grantOf, notFound, origin, type AppParts, type Framework } from "../app.ts";
import { createAdaptorServer } from "./packages.ts";
import { serve } from "./serve.ts";

interface Env {
  readonly Variables: { user: string | undefined };
}

const parseBody = createMiddleware(async ({ req }, next) => {
  if (req.header("content-type") === "application/json") await req.json().catch(() => {});
  await next();
});

const authenticate = createMiddleware<Env>(async (context, next) => {
  const user = context.req.header("x-user");
  if (user === "nobody") return context.text("who are you?", 401);
  context.set("user", user);
  return next();
});

function build({ gateway, guard, maxDuration }: AppParts): Hono<Env> {
  const app = new Hono<Env>();
  app.use(compress(), cors({ origin }), parseBody);
  if (guard) app.use(authenticate);
  app.get("/hello", (context) => context.text("hello"));
  const live = spillway<Env>(gateway, { maxDuration, grant: guard ? ({ var: { user } }) => grantOf(user) : undefined });
  app.all("/live/*", live);
  app.route("/api", new Hono<Env>().route("/v1", new Hono<Env>().all("/live/*", live)));
  app.notFound((context) => context.text(notFound, 404));
  return app;
}

export const honoNode: Framework = {
  name: "Hono with @hono/node-server",
  keepsBodies: true,
  listens: true,
  start: (parts) => serve(createAdaptorServer({ fetch: build(parts).fetch }), parts.gateway),
};

export const honoFetch: Framework = {
  name: "Hono's fetch",
  keepsBodies: true,
  listens: false,
  async start(parts) {
    const app = build(parts);
    return {
      request: async (path, init) => app.fetch(new Request(`http://gateway.test${path}`, init)),
      close: () => parts.gateway.drain(),
    };
  },
};
