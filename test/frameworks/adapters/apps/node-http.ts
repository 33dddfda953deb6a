import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import express from "express";
import { grantOf, notFound, origin, type Framework } from "../app.ts";
import { compression, cors } from "./packages.ts";
import { serve } from "./serve.ts";

type Middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

/** Without a framework: the same middleware, called by hand. */
export const nodeHttp: Framework = {
  name: "node:http",
  keepsBodies: false,
  listens: true,
  start({ gateway, guard, maxDuration }) {
    const options = {
      maxDuration,
      grant: guard
        ? ({ headers }: { headers: IncomingMessage["headers"] }) => grantOf(headers["x-user"]?.toString())
        : undefined,
    };
    const chain = [compression(), cors({ origin }), express.json(), express.text()] as unknown as Middleware[];
    const mounts = ["/live", "/api/v1/live"];
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      if (request.url === "/hello") return void response.end("hello");
      if (guard && request.headers["x-user"] === "nobody") return void response.writeHead(401).end("who are you?");
      const none = (): void => void response.writeHead(404).end(notFound);
      const mount = mounts.find((path) => request.url?.startsWith(`${path}/`));
      if (mount === undefined) return none();
      gateway.node({ ...options, mount })(request, response, none);
    };
    const server = createServer((request, response) => {
      const run = (index: number): void => {
        const middleware = chain[index];
        if (middleware) middleware(request, response, () => run(index + 1));
        else answer(request, response);
      };
      run(0);
    });
    return serve(server, gateway);
  },
};
