import { betterSse } from "./better-sse.js";
import { cRelay } from "./c-relay.js";
import { cSend } from "./c-send.js";
import { express } from "./express.js";
import { fastifyHttpProxy } from "./fastify-http-proxy.js";
import { fastifySse } from "./fastify-sse.js";
import { haproxy } from "./haproxy.js";
import { httpProxyMiddleware } from "./http-proxy-middleware.js";
import { httpxy } from "./httpxy.js";
import { nchan } from "./nchan.js";
import { nginxProxy } from "./nginx-proxy.js";
import { nodeSend } from "./node-send.js";
import { shared } from "./shared.js";
import { spillway, spillwayMemory } from "./spillway.js";
import { uwebsockets } from "./uwebsockets.js";

/** In the order of the tables. @type {readonly import("../types.d.ts").Server[]} */
export const servers = [
  spillway,
  spillwayMemory,
  ...shared,
  nchan,
  cSend,
  nodeSend,
  uwebsockets,
  betterSse,
  express,
  fastifySse,
  nginxProxy,
  haproxy,
  cRelay,
  httpxy,
  httpProxyMiddleware,
  fastifyHttpProxy,
];
