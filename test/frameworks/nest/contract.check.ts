import type { INestApplication } from "@nestjs/common";
import { testFramework } from "../adapters/contract.ts";
import { nestOn } from "./app.ts";
import { compression, ExpressAdapter, FastifyAdapter, fastifyCompress } from "./packages.ts";

interface FastifyApplication {
  register(plugin: unknown, options: { readonly threshold: number }): Promise<unknown>;
}

const onFastify = (app: INestApplication): unknown =>
  (app as unknown as FastifyApplication).register(fastifyCompress, { threshold: 0 });

testFramework(
  nestOn(
    "NestJS on Express",
    () => new ExpressAdapter(),
    (app) => app.use(compression()),
    true,
  ),
);
testFramework(nestOn("NestJS on Fastify", () => new FastifyAdapter(), onFastify, false));
