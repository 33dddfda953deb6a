import {
  Catch,
  Controller,
  Get,
  Module,
  NotFoundException,
  UnauthorizedException,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type Type,
} from "@nestjs/common";
import { NestFactory, type AbstractHttpAdapter } from "@nestjs/core";
import { SpillwayModule } from "../../../src/adapters/nest/index.ts";
import { requestTo } from "../adapters/apps/serve.ts";
import { grantOf, notFound, origin, type AppParts, type Framework } from "../adapters/app.ts";

/** A request with what {@link Guard} adds. */
interface UserRequest {
  readonly headers: Readonly<Record<string, string | undefined>>;
  user?: string | undefined;
}

/** A response of Express, or a reply of Fastify. */
interface Reply {
  status(code: number): { send(text: string): void };
}

class Guard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<UserRequest>();
    request.user = request.headers["x-user"];
    if (request.user === "nobody") throw new UnauthorizedException();
    return true;
  }
}

class NotFound implements ExceptionFilter {
  catch(_error: NotFoundException, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<Reply>().status(404).send(notFound);
  }
}
Catch(NotFoundException)(NotFound);

class Hello {
  hello(): string {
    return "hello";
  }
}
Get("hello")(Hello.prototype, "hello", Object.getOwnPropertyDescriptor(Hello.prototype, "hello")!);
Controller()(Hello);

function toModule({ gateway, guard, maxDuration }: AppParts): Type {
  // oxlint-disable-next-line typescript/no-extraneous-class -- Nest identifies modules by their classes.
  class AppModule {}
  const grant = guard ? ({ user }: UserRequest) => grantOf(user) : undefined;
  const guards = guard ? [Guard] : [];
  const imports = [
    SpillwayModule.forRoot({ path: "live", guards, gateway, grant, maxDuration }),
    SpillwayModule.forRootAsync({ path: "api/v1/live", guards, useFactory: () => ({ gateway, grant, maxDuration }) }),
  ];
  Module({ imports, controllers: [Hello] })(AppModule);
  return AppModule;
}

/** @param rawBody whether the application keeps the bytes of bodies */
export function nestOn(
  name: string,
  createAdapter: () => AbstractHttpAdapter,
  prepare: (app: INestApplication) => unknown,
  rawBody: boolean,
): Framework {
  return {
    name,
    keepsBodies: rawBody,
    listens: true,
    async start(parts) {
      const options = { logger: false, abortOnError: false, rawBody } as const;
      const app = await NestFactory.create(toModule(parts), createAdapter(), options);
      await prepare(app);
      app.enableCors({ origin });
      app.useGlobalFilters(new NotFound());
      await app.listen(0, "127.0.0.1");
      return { request: requestTo(app.getHttpServer() as { address(): unknown }), close: () => app.close() };
    },
  };
}
