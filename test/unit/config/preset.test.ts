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
    });
    expect(options).toMatchObject({ listen: { host: "127.0.0.1", port: 8080 }, store: "sqlite:./spillway.db" });
    expect(options.access.anonymous).toEqual({ can: ["subscribe", "admin"] });
  });

  test("listens on PORT of loopback", () => {
    expect(surflux({ ...required, PORT: "3000" }).listen).toEqual({ host: "127.0.0.1", port: 3000 });
  });

  test.each([
    ["file:./dev.db", "sqlite:./dev.db"],
    ["file:///var/dev.db", "sqlite:/var/dev.db"],
    ["sqlite:./dev.db", "sqlite:./dev.db"],
    ["data/dev.db", "sqlite:data/dev.db"],
  ])("takes DATABASE_URL %s as %s", (url, store) => {
    expect(surflux({ ...required, DATABASE_URL: url }).store).toBe(store);
  });

  test("refuses a DATABASE_URL of a store that is not there, without showing it", () => {
    const error = catchConfigError(() => surflux({ ...required, DATABASE_URL: "postgres://u:secret@h/db" }));
    expect(error.field).toBe("DATABASE_URL");
    expect(error.message).toContain("no other store is available");
    expect(error.message).not.toContain("secret");
  });

  test("names every variable that is missing or wrong", () => {
    const { issues } = catchConfigError(() => surflux({ SURFLUX_API_URL: "", PORT: "many" }));
    expect(issues.map(({ path }) => path)).toEqual(["PORT", "SURFLUX_API_URL", "SURFLUX_API_KEY"]);
  });

  test("gives way to what is written beside it", () => {
    const env = { ...required, PORT: "many", DATABASE_URL: "postgres://h/db" };
    const streams = { surflux: { upstream: { connect: "on-demand" } } };
    const options = surflux(env, { listen: 9000, store: "memory:", streams });
    expect(options).toMatchObject({ listen: { port: 9000 }, store: "memory:" });
    expect(options.streams["surflux"]?.upstream).toMatchObject({ connect: "on-demand", resume: { query: "last-id" } });
  });

  test("opens nothing to the public by itself", () => {
    expect(catchConfigError(() => surflux(required, { listen: ":80" })).code).toBe("access-required");
  });
});
