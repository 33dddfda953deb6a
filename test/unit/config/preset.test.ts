import { describe, expect, test } from "vitest";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { codeSource } from "../../../src/config/source.ts";
import type { GatewayOptions } from "../../../src/gateway/options.ts";
import { catchConfigError } from "./support.ts";

const required = { SURFLUX_API_URL: "https://api.surflux.example/", SURFLUX_API_KEY: "k&y/1" };

function surflux(env: Record<string, string>, config: object = {}): GatewayOptions {
  return resolveConfig({ preset: "surflux", ...config }, codeSource(env));
}

describe("the surflux preset", () => {
  test("builds one stream that resumes by last-id", () => {
    const options = surflux(required);
    expect(options.default).toBe("surflux");
    expect(options.streams["surflux"]?.upstream).toMatchObject({
      targets: [{ url: "https://api.surflux.example/events?api-key=k%26y%2F1" }],
      resume: { query: "last-id" },
      connect: "on-demand",
    });
    expect(options.streams["surflux"]).toMatchObject({ channel: "/type", ids: "upstream" });
    expect(options).toMatchObject({ listen: { host: "127.0.0.1", port: 8080 }, store: "sqlite:./spillway.db" });
  });

  test("lets everyone on loopback subscribe, from pages of any origin, without admin rights", () => {
    const { anonymous, cors } = surflux(required).access;
    expect(anonymous).toEqual({ can: ["subscribe"] });
    expect(cors).toMatchObject({ origins: ["*"], credentials: false });
  });

  test("listens on PORT on loopback", () => {
    expect(surflux({ ...required, PORT: "3000" }).listen).toEqual({ host: "127.0.0.1", port: 3000 });
  });

  test.each([
    ["file:./dev.db", "sqlite:./dev.db"],
    ["file:///var/dev.db", "sqlite:/var/dev.db"],
    ["sqlite:./dev.db", "sqlite:./dev.db"],
    ["data/dev.db", "sqlite:data/dev.db"],
    ["postgres://u:p@h/db", "postgres://u:p@h/db"],
    ["postgresql://u:p@h/db", "postgresql://u:p@h/db"],
    ["mysql://u:p@h/db", "mysql://u:p@h/db"],
    ["redis://h:6379/1", "redis://h:6379/1"],
    ["nats://h:4222", "nats://h:4222"],
    ["memory:", "memory:"],
  ])("reads DATABASE_URL %s as %s", (url, store) => {
    expect(surflux({ ...required, DATABASE_URL: url }).store).toBe(store);
  });

  test("refuses a DATABASE_URL of an unknown store, without showing it", () => {
    const error = catchConfigError(() => surflux({ ...required, DATABASE_URL: "mongodb://u:secret@h/db" }));
    expect(error.field).toBe("DATABASE_URL");
    expect(error.message).toContain("postgres://…");
    expect(error.message).not.toContain("secret");
  });

  test("reads values in quotes, as docker run --env-file leaves them", () => {
    const quoted = Object.entries({
      ...required,
      PORT: "3000",
      DATABASE_URL: "file:./dev.db",
      CLIENT_API_KEY: "k".repeat(32),
    });
    const env = Object.fromEntries(quoted.map(([name, value], i) => [name, i % 2 ? `"${value}"` : `'${value}'`]));
    expect(surflux(env)).toEqual(surflux(Object.fromEntries(quoted)));
  });

  test("names every missing or invalid variable", () => {
    const { issues } = catchConfigError(() => surflux({ SURFLUX_API_URL: "", PORT: "many" }));
    expect(issues.map(({ path }) => path)).toEqual(["PORT", "SURFLUX_API_URL", "SURFLUX_API_KEY"]);
  });

  test("yields to explicit options", () => {
    const env = { ...required, PORT: "many", DATABASE_URL: "mongodb://h/db" };
    const streams = { surflux: { upstream: { connect: "always" } } };
    const options = surflux(env, { listen: 9000, store: "memory:", streams });
    expect(options).toMatchObject({ listen: { port: 9000 }, store: "memory:" });
    expect(options.streams["surflux"]?.upstream).toMatchObject({ connect: "always", resume: { query: "last-id" } });
  });

  test("opens nothing to the public on its own", () => {
    expect(catchConfigError(() => surflux(required, { listen: ":80" })).code).toBe("access-required");
  });

  describe("with an access section", () => {
    const secret = "a secret of at least 32 bytes, for tests";
    const keys = [{ name: "web", hash: `sha256:${"0".repeat(64)}` }];

    test.each([{}, { keys }, { jwt: { secret } }, { jwt: { secret }, cookie: "session" }, { cors: { maxAge: "1m" } }])(
      "grants nothing on its own: %j",
      (access) => {
        for (const listen of ["127.0.0.1:80", ":80"]) {
          expect(surflux(required, { listen, access }).access.anonymous).toEqual({ can: [] });
        }
      },
    );

    test("still lets pages of any origin read, unless a cookie identifies users", () => {
      expect(surflux(required, { access: { keys } }).access.cors.origins).toEqual(["*"]);
      expect(surflux(required, { access: { jwt: { secret }, cookie: "session" } }).access.cors.origins).toEqual([]);
      const own = { cors: { origins: ["https://app.example"] } };
      expect(surflux(required, { access: own }).access.cors.origins).toEqual(["https://app.example"]);
    });
  });

  describe("with CLIENT_API_KEY", () => {
    const env = { ...required, CLIENT_API_KEY: "the key that the clients of the guide send" };

    test("lets only clients with the key subscribe, on every address", () => {
      for (const listen of ["127.0.0.1:80", ":80"]) {
        const { anonymous, keys } = surflux(env, { listen }).access;
        expect(anonymous).toEqual({ can: [] });
        expect(keys).toMatchObject([{ name: "CLIENT_API_KEY", grant: { can: ["subscribe"] } }]);
      }
    });

    test("keeps the configured keys", () => {
      const keys = [{ name: "web", hash: `sha256:${"0".repeat(64)}` }];
      expect(surflux(env, { access: { keys } }).access.keys.map(({ name }) => name)).toEqual(["CLIENT_API_KEY", "web"]);
    });

    test.each([
      { anonymous: ["subscribe"] },
      { anonymous: ["publish", "subscribe"] },
      { anonymous: { can: ["subscribe"] } },
      { anonymous: { channels: ["a"] } },
    ])("is refused if everyone may subscribe: %j", (access) => {
      const error = catchConfigError(() => surflux(env, { access }));
      expect(error.field).toBe("access.anonymous");
      expect(error.message).toContain("CLIENT_API_KEY");
      expect(error.message).not.toContain(env.CLIENT_API_KEY);
    });
  });
});
