import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import { fastify, type FastifyInstance } from "fastify";
import { spillway } from "../../../../src/adapters/fastify/index.ts";
import { requestOver } from "../../../support/doors.ts";
import { grantOf, notFound, origin, type AppParts, type Framework } from "../app.ts";
import { fastifyCompress, fastifyCors } from "./packages.ts";
import { requestTo } from "./serve.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set by the guard. */
    user: string | undefined;
  }
}

async function build(app: FastifyInstance, { gateway, guard, maxDuration }: AppParts): Promise<void> {
  await app.register(fastifyCompress, { threshold: 0 });
  await app.register(fastifyCors, { origin });
  app.decorateRequest("user", undefined);
  if (guard) {
    app.addHook("onRequest", async (request, reply) => {
      request.user = request.headers["x-user"]?.toString();
      if (request.user === "nobody") return reply.code(401).send("who are you?");
    });
  }
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(notFound));
  app.get("/hello", () => "hello");
  const grant = guard ? ({ user }: { user: string | undefined }) => grantOf(user) : undefined;
  await app.register(spillway, { gateway, prefix: "/live", grant, maxDuration });
  await app.register(
    async (api) => {
      await api.register(async (v1) => v1.register(spillway, { gateway, prefix: "/live", grant, maxDuration }), {
        prefix: "/v1",
      });
    },
    { prefix: "/api" },
  );
  await app.listen({ host: "127.0.0.1", port: 0 });
}

export const fastifyHttp1: Framework = {
  name: "Fastify",
  keepsBodies: true,
  listens: true,
  async start(parts) {
    const app = fastify();
    await build(app, parts);
    return { request: requestTo(app.server), close: () => app.close() };
  },
};

export const fastifyHttp2: Framework = {
  name: "Fastify with HTTP/2",
  keepsBodies: true,
  listens: true,
  async start(parts) {
    const app = fastify({ http2: true, forceCloseConnections: true });
    await build(app as unknown as FastifyInstance, parts);
    const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
    session.on("error", () => {});
    return {
      request: requestOver(session),
      async close() {
        const closed = app.close();
        await closed;
        session.destroy();
      },
    };
  },
};
