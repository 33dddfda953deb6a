import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { doors, type Door } from "../support/doors.ts";
import { openGateway, type Opened } from "../support/gateways.ts";
import { portOf } from "../support/ports.ts";
import { expectedOf, makeTicket, outcomeOf, type Route } from "../support/probe.ts";
import { access, allKey, credentials, ofService, routes, verdicts } from "./access-table.ts";

/**
 * Every route of PROTOCOL.md times every kind of credential, through every door. What is expected follows from the tables and from the
 * rules of `expectedOf`, which are those of PROTOCOL.md.
 */

let service: Server;
beforeAll(async () => {
  service = createServer((request, response) => {
    const verdict = verdicts[request.headers.authorization?.replace("User ", "") ?? "nobody"] ?? "403";
    response.writeHead(verdict.startsWith("{") ? 200 : Number(verdict)).end(verdict);
  }).listen(0, "127.0.0.1");
  await once(service, "listening");
});
afterAll(() => service.close());

const gateways = [
  {
    title: "a gateway without rights for anonymous clients",
    access: () => access,
    credentials: [{ title: "nothing", none: true, grant: { can: [] } }, ...credentials],
    anonymous: { can: [] },
  },
  {
    title: "a gateway where anonymous clients may subscribe",
    access: () => ({ ...access, anonymous: ["subscribe"] as const }),
    credentials: [{ title: "nothing", none: true }, ...credentials],
    anonymous: { can: ["subscribe"] as const },
  },
  {
    title: "a gateway with an authorize service",
    access: () => ({
      keys: access.keys,
      authorize: { url: `http://127.0.0.1:${portOf(service)}/`, cache: "0s", timeout: "25s" },
    }),
    credentials: ofService,
    anonymous: { can: [] },
  },
];

// Its own server with TLS speaks the HTTP/2 of another door.
describe.each(doors.filter(({ config }) => !config))("through $name", (kind) => {
  describe.each(gateways)("$title", ({ access: accessOf, credentials: shown, anonymous }) => {
    let opened: Opened;
    let door: Door;

    beforeAll(async () => {
      // Hosts and origins are checked before credentials, which this test is about.
      const hosts = ["*"];
      const config = { streams: { prices: {}, orders: {} }, default: "prices", access: accessOf(), hosts };
      opened = await openGateway("memory", kind, config);
      ({ door } = opened);
      await opened.gateway.publish("prices", [
        { data: "1", channel: "btc" },
        { data: "2", channel: "user:ada" },
      ]);
    });

    afterAll(() => opened.close());

    test.each(shown)("$title", async (credential) => {
      const { ticketFor } = credential;
      const ticket = ticketFor === undefined ? undefined : await makeTicket(door, ticketFor, allKey);
      const found = await Promise.all(
        routes.map(async (route) => [nameOf(route), await outcomeOf(door, route, credential, ticket)]),
      );
      const expected = routes.map((route) => [nameOf(route), expectedOf(route, credential, anonymous)]);
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
    });
  });
});

function nameOf({ method, path, accept = "", body = "" }: Route): string {
  return `${method} ${path} ${accept} ${body}`;
}
