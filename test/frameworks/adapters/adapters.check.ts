import { expressFive, expressFour } from "./apps/express.ts";
import { fastifyHttp1, fastifyHttp2 } from "./apps/fastify.ts";
import { honoFetch, honoNode } from "./apps/hono.ts";
import { nodeHttp } from "./apps/node-http.ts";
import { testFramework } from "./contract.ts";

for (const framework of [nodeHttp, expressFive, expressFour, fastifyHttp1, fastifyHttp2, honoNode, honoFetch])
  testFramework(framework);
