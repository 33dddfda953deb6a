import { expect, test } from "vitest";
import type { Identity } from "../../../src/access/identity.ts";
import { createTickets, type LocalTickets } from "../../../src/access/tickets.ts";
import { accessOf, errorOf, requestOf, subjectOf } from "./support.ts";

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

/** Tickets with a clock that is set by hand. */
function ticketsAt(most?: number): LocalTickets & { clock: number } {
  const timed = { clock: 1_000_000 };
  const options = { lifetime: 3_600_000, firstUse: 30_000, now: () => timed.clock };
  return Object.assign(timed, createTickets(most === undefined ? options : { ...options, most }));
}

async function codeOf(action: () => unknown): Promise<string> {
  return (await errorOf(action)).code;
}

test("a ticket is unguessable, and brings its holder narrowed to what it is for", () => {
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

test("each ticket is known by another name, the same one always by the same", () => {
  const tickets = ticketsAt();
  const [a, b] = [tickets.issue({ holder, stream: "prices" }), tickets.issue({ holder, stream: "prices" })];
  const names = [a, b, a].map(({ ticket }) => tickets.redeem(ticket).ticket);
  expect(names[0]).toBe(names[2]);
  expect(new Set(names).size).toBe(2);
});

test("without channels a ticket has all of its holder's", () => {
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
])("a ticket for more than the holder has is refused: %o", async (scope) => {
  expect(await codeOf(() => ticketsAt().issue({ holder, ...scope }))).toBe("access-denied");
});

test("who may not subscribe, or has only a ticket himself, gets no ticket", async () => {
  const tickets = ticketsAt();
  const publisher = { ...holder, grant: { can: ["publish" as const] } };
  expect(await codeOf(() => tickets.issue({ holder: publisher, stream: "prices" }))).toBe("access-denied");
  const guest = tickets.redeem(tickets.issue({ holder, stream: "prices" }).ticket);
  expect(await codeOf(() => tickets.issue({ holder: guest, stream: "prices" }))).toBe("access-denied");
});

test("a ticket must be used soon, and then lasts to its end", async () => {
  const tickets = ticketsAt();
  const late = tickets.issue({ holder, stream: "prices" });
  const used = tickets.issue({ holder, stream: "prices" });
  tickets.clock += 29_999;
  tickets.redeem(used.ticket);
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

test("what is not exactly a ticket is none", async () => {
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

test("beyond the bound the oldest unused ticket goes first, and used ones stay", async () => {
  const tickets = ticketsAt(3);
  const used = tickets.issue({ holder, stream: "prices" }).ticket;
  tickets.redeem(used);
  const issued = Array.from({ length: 4 }, () => tickets.issue({ holder, stream: "prices" }).ticket);
  expect(await codeOf(() => tickets.redeem(issued[0]!))).toBe("ticket-invalid");
  for (const ticket of [used, issued[3]!]) expect(tickets.redeem(ticket).subject).toBe("key:web");
});

test("of used tickets the one goes first that was not used for longest", async () => {
  const tickets = ticketsAt(2);
  const use = (): string => {
    const { ticket } = tickets.issue({ holder, stream: "prices" });
    tickets.redeem(ticket);
    return ticket;
  };
  const [first, second] = [use(), use()];
  tickets.redeem(first);
  const third = use();
  for (const ticket of [first, third]) expect(tickets.redeem(ticket).subject).toBe("key:web");
  expect(await codeOf(() => tickets.redeem(second))).toBe("ticket-invalid");
});

test("tickets of a holder who no longer counts are forgotten, those of others are what these have become", async () => {
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

test("a ticket that may start like a key is never taken for one", async () => {
  const tickets = ticketsAt();
  const { ticket } = tickets.issue({ holder, stream: "prices" });
  expect(await subjectOf(accessOf({}, { tickets }), requestOf({ query: `ticket=${ticket}` }), "prices")).toBe(
    "key:web",
  );
});
