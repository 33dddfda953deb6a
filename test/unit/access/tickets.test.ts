import { expect, test } from "vitest";
import type { Identity } from "../../../src/access/identity.ts";
import { createTickets, ticketId, type LocalTickets, type TicketsOptions } from "../../../src/access/tickets.ts";
import { accessOf, errorOf, requestOf, subjectOf, ticketRules } from "./support.ts";

const holder: Identity = {
  subject: "key:web",
  grant: {
    can: ["subscribe", "publish", "admin"],
    streams: ["prices", "quotes"],
    channels: ["user:*", "all"],
    events: ["trade"],
  },
  recognized: { by: "key", hash: "sha256:00" },
};

/** Tickets with a manual clock. */
function ticketsAt(options: Partial<TicketsOptions> = {}): LocalTickets & { clock: number } {
  const timed = { clock: 1_000_000 };
  const times = { lifetime: 3_600_000, firstUse: 30_000, now: () => timed.clock };
  return Object.assign(timed, createTickets({ ...ticketRules, ...times, ...options }));
}

/** Opens a connection with a ticket, which is accepted. */
function connect(tickets: LocalTickets, ticket: string): void {
  tickets.redeem(ticket);
  tickets.use(ticketId(ticket));
}

async function codeOf(action: () => unknown): Promise<string> {
  return (await errorOf(action)).code;
}

test("a ticket is unguessable, and provides its holder's grant narrowed to its scope", () => {
  const tickets = ticketsAt();
  const { ticket, expiresAt } = tickets.issue({ holder, stream: "prices", channels: ["user:7"] });
  expect(ticket).toMatch(/^spt_[\w-]{43}$/);
  expect(expiresAt).toBe(tickets.clock + 3_600_000);
  const identity = tickets.redeem(ticket);
  expect(identity).toMatchObject({
    subject: "key:web",
    grant: { can: ["subscribe"], streams: ["prices"], channels: ["user:7"], events: ["trade"] },
    expiresAt,
    recognized: holder.recognized,
  });
  expect(JSON.stringify(identity)).not.toContain(ticket);
  expect(JSON.parse(JSON.stringify(identity))).toEqual(identity);
});

test("each ticket has a different name, and the same ticket always has the same one", () => {
  const tickets = ticketsAt();
  const [a, b] = [tickets.issue({ holder, stream: "prices" }), tickets.issue({ holder, stream: "prices" })];
  const names = [a, b, a].map(({ ticket }) => tickets.redeem(ticket).ticket);
  expect(names[0]).toBe(names[2]);
  expect(new Set(names).size).toBe(2);
});

test("a ticket without channels has all of its holder's", () => {
  const tickets = ticketsAt();
  expect(tickets.redeem(tickets.issue({ holder, stream: "quotes" }).ticket).grant.channels).toEqual(["user:*", "all"]);
});

test.each([
  { stream: "other" },
  { stream: "*" },
  { stream: "prices", channels: ["other"] },
  { stream: "prices", channels: ["user:1", "other"] },
  { stream: "prices", channels: ["*"] },
  { stream: "prices", channels: ["u*"] },
])("a ticket for more than its holder has is refused: %o", async (scope) => {
  expect(await codeOf(() => ticketsAt().issue({ holder, ...scope }))).toBe("access-denied");
});

test("a client that may not subscribe, or only has a ticket itself, gets no ticket", async () => {
  const tickets = ticketsAt();
  const publisher = { ...holder, grant: { can: ["publish" as const] } };
  expect(await codeOf(() => tickets.issue({ holder: publisher, stream: "prices" }))).toBe("access-denied");
  const guest = tickets.redeem(tickets.issue({ holder, stream: "prices" }).ticket);
  expect(await codeOf(() => tickets.issue({ holder: guest, stream: "prices" }))).toBe("access-denied");
});

test("a ticket must be used soon, and is then valid until its end", async () => {
  const tickets = ticketsAt();
  const late = tickets.issue({ holder, stream: "prices" });
  const used = tickets.issue({ holder, stream: "prices" });
  tickets.clock += 29_999;
  connect(tickets, used.ticket);
  tickets.clock += 1;
  expect(await codeOf(() => tickets.redeem(late.ticket))).toBe("ticket-invalid");
  for (let times = 0; times < 50; times++) {
    tickets.clock += 60_000;
    expect(tickets.redeem(used.ticket).subject).toBe("key:web");
  }
  tickets.clock = used.expiresAt - 1;
  tickets.redeem(used.ticket);
  tickets.clock += 1;
  expect(await codeOf(() => tickets.redeem(used.ticket))).toBe("ticket-invalid");
});

test("a ticket ends with its holder's credential", async () => {
  const tickets = ticketsAt();
  const expiresAt = tickets.clock + 10_000;
  const { ticket, expiresAt: end } = tickets.issue({ holder: { ...holder, expiresAt }, stream: "prices" });
  expect(end).toBe(expiresAt);
  expect(tickets.redeem(ticket).expiresAt).toBe(expiresAt);
  tickets.clock = expiresAt;
  expect(await codeOf(() => tickets.redeem(ticket))).toBe("ticket-invalid");
});

test("a text that is not exactly a ticket is refused", async () => {
  const tickets = ticketsAt();
  const { ticket } = tickets.issue({ holder, stream: "prices" });
  const name = tickets.redeem(ticket).ticket!;
  for (const forged of [
    "",
    "spt_",
    ticket.slice(0, -1),
    `${ticket}x`,
    ticket.toLowerCase(),
    name,
    ticketsAt().issue({ holder, stream: "prices" }).ticket,
  ]) {
    expect(await codeOf(() => tickets.redeem(forged))).toBe("ticket-invalid");
  }
});

test("a ticket whose connection is not accepted stays unused", async () => {
  const tickets = ticketsAt();
  const { ticket } = tickets.issue({ holder, stream: "prices" });
  for (let times = 0; times < 3; times++) tickets.redeem(ticket);
  tickets.clock += 30_000;
  expect(await codeOf(() => tickets.redeem(ticket))).toBe("ticket-invalid");
});

const other: Identity = { ...holder, subject: "key:other" };
const bounds: ReadonlyArray<readonly [string, Partial<TicketsOptions>]> = [
  ["number", { perSubject: 3 }],
  ["size", { bytes: 3000 }],
];

test.each(bounds)(
  "beyond the %s of its subject's tickets, the least recently used one is removed",
  async (_, rules) => {
    const tickets = ticketsAt(rules);
    const spared = tickets.issue({ holder: other, stream: "prices" }).ticket;
    const issued: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { ticket } = tickets.issue({ holder, stream: "prices" });
      connect(tickets, ticket);
      issued.push(ticket);
    }
    connect(tickets, issued[0]!);
    connect(tickets, tickets.issue({ holder, stream: "prices" }).ticket);
    for (const ticket of [spared, issued[0]!, issued[2]!]) tickets.redeem(ticket);
    expect(await codeOf(() => tickets.redeem(issued[1]!))).toBe("ticket-invalid");
  },
);

test.each(bounds)(
  "beyond the %s of its subject's unused tickets, none is created until one expires",
  async (_, rules) => {
    const tickets = ticketsAt(rules);
    const issued = Array.from({ length: 3 }, () => tickets.issue({ holder, stream: "prices" }).ticket);
    const error = await errorOf(() => tickets.issue({ holder, stream: "prices" }));
    expect([error.code, error.retryAfter]).toEqual(["too-many-tickets", 30]);
    for (const ticket of issued) tickets.redeem(ticket);
    tickets.redeem(tickets.issue({ holder: other, stream: "prices" }).ticket);
    tickets.clock += 30_000;
    tickets.redeem(tickets.issue({ holder, stream: "prices" }).ticket);
  },
);

test("beyond the unused tickets of an address none is created there, whoever asks", async () => {
  const tickets = ticketsAt({ perAddress: 2 });
  const issue = (subject: string, address: string): string =>
    tickets.issue({ holder: { ...holder, subject }, stream: "prices", address }).ticket;
  const [first] = [issue("key:a", "2001:db8::1"), issue("key:b", "2001:db8::2")];
  expect(await codeOf(() => issue("key:c", "2001:db8::3"))).toBe("too-many-tickets");
  issue("key:c", "192.0.2.1");
  connect(tickets, first);
  issue("key:c", "2001:db8::3");
});

test("clients without a subject are limited by their address", async () => {
  const tickets = ticketsAt({ perSubject: 2 });
  const anonymous: Identity = { subject: "anonymous", grant: { can: ["subscribe"] }, recognized: { by: "anonymous" } };
  const issue = (address: string): unknown => tickets.issue({ holder: anonymous, stream: "prices", address });
  for (let n = 0; n < 2; n++) issue("192.0.2.1");
  expect(await codeOf(() => issue("192.0.2.1"))).toBe("too-many-tickets");
  issue("192.0.2.2");
});

test("at capacity no ticket is created, and none is removed", async () => {
  const tickets = ticketsAt({ most: 2 });
  const issued = [holder, other].map((one) => tickets.issue({ holder: one, stream: "prices" }).ticket);
  connect(tickets, issued[0]!);
  const third = { ...holder, subject: "key:third" };
  expect(await codeOf(() => tickets.issue({ holder: third, stream: "prices" }))).toBe("at-capacity");
  for (const ticket of issued) tickets.redeem(ticket);
});

test("a ticket with more text than its subject may store is not created", async () => {
  const tickets = ticketsAt({ bytes: 2000 });
  const channels = Array.from({ length: 90 }, (_, n) => `user:${n}-with-a-name-of-some-length`);
  expect(await codeOf(() => tickets.issue({ holder, stream: "prices", channels }))).toBe("too-many-tickets");
});

test("a review removes the tickets of holders without access, and updates the others", async () => {
  const tickets = ticketsAt();
  const gone = tickets.issue({ holder: { ...holder, subject: "key:gone" }, stream: "prices" }).ticket;
  const less = tickets.issue({ holder, stream: "prices", channels: ["user:7"] }).ticket;
  const lost = tickets.issue({ holder, stream: "quotes" }).ticket;
  const reviewed = {
    ...holder,
    grant: { ...holder.grant, streams: ["prices"], events: ["quote"] },
    expiresAt: tickets.clock + 5000,
  };
  tickets.redeem(less);
  tickets.review(({ subject }) => (subject === "key:gone" ? undefined : reviewed));
  expect(await codeOf(() => tickets.redeem(gone))).toBe("ticket-invalid");
  expect(await codeOf(() => tickets.redeem(lost))).toBe("ticket-invalid");
  expect(tickets.redeem(less)).toMatchObject({
    grant: { channels: ["user:7"], events: ["quote"] },
    expiresAt: reviewed.expiresAt,
  });
});

test("a ticket that starts like a key is never treated as one", async () => {
  const tickets = ticketsAt();
  const { ticket } = tickets.issue({ holder, stream: "prices" });
  expect(await subjectOf(accessOf({}, { tickets }), requestOf({ query: `ticket=${ticket}` }), "prices")).toBe(
    "key:web",
  );
});
