import { expect, test } from "vitest";
import { SpillwayError } from "../../../../src/errors.ts";
import { type BuildDraft, Committer } from "../../../../src/log/nats/committer.ts";
import type { Draft } from "../../../../src/log/nats/draft.ts";
import { UnknownOutcomeError, WrongSequenceError } from "../../../../src/log/nats/failure.ts";
import { createHead } from "../../../../src/log/nats/head.ts";
import type { OutgoingMessage, Queries } from "../../../../src/log/nats/queries.ts";
import { controlRecord, emptyStanding, type LogRecord } from "../../../../src/log/nats/record.ts";
import { logNames } from "../../../../src/log/nats/schema.ts";

/** The last known message. */
const known = 7;

/** A log of which this node knows {@link known} messages, and where `publish` answers what a test says. */
function committerOver(publish: (message: OutgoingMessage, receive: (record: LogRecord) => void) => Promise<number>) {
  const head = createHead(known, controlRecord(emptyStanding("e"), "t0"));
  const published: OutgoingMessage[] = [];
  /** As the tail does. */
  const receive = (record: LogRecord): void => {
    committer.noticed(record);
    head.advance(head.seq + 1, record);
  };
  const queries = {
    publish(message) {
      published.push(message);
      return publish(message, receive);
    },
  } satisfies Pick<Queries, "publish">;
  const committer: Committer = new Committer({
    connection: { ready: () => Promise.resolve() },
    queries,
    names: logNames("p", "s", "t"),
    head,
    health: { check: () => Promise.resolve() },
    onCommitted: (seq, { record }) => head.advance(seq, record),
  });
  let drafts = 0;
  const make: BuildDraft = (standing) => {
    const record = controlRecord(standing, `t${++drafts}`);
    return { subject: "s", record, data: new Uint8Array(), events: [], appended: [] };
  };
  const commit = (): Promise<Draft | undefined> => committer.commit(make);
  const append = (): Promise<Draft | undefined> => committer.append(make);
  return { commit, append, committer, published, head };
}

const refusal = (last: number): Promise<never> =>
  Promise.reject(new WrongSequenceError(`wrong last sequence: ${last}`));

test.each([
  ["knows less", known - 2],
  ["has another message there that never counts", known + 1],
])("a message that one server stores is not replaced when another one refuses it that %s", async (_, last) => {
  const { commit, published } = committerOver(({ record }, receive) => {
    setTimeout(() => receive(record!), 120);
    return refusal(last);
  });
  expect((await commit())!.record.token).toBe("t1");
  expect(new Set(published.map(({ record }) => record!.token))).toEqual(new Set(["t1"]));
});

test("a message refused by a server that is behind is sent again unchanged", async () => {
  let answers = 0;
  const { commit, published, head } = committerOver(({ expected }) =>
    ++answers < 3 ? refusal(known - 2) : Promise.resolve(expected! + 1),
  );
  expect((await commit())!.record.token).toBe("t1");
  expect(published.map(({ record, expected }) => [record!.token, expected])).toEqual([
    ["t1", known],
    ["t1", known],
    ["t1", known],
  ]);
  expect(head.seq).toBe(known + 1);
});

test("a message that another node preceded is made again after that node's", async () => {
  const other = controlRecord(emptyStanding("e"), "other");
  const { commit, published } = committerOver(({ expected }, receive) => {
    if (expected !== known) return Promise.resolve(expected! + 1);
    receive(other);
    return refusal(known + 1);
  });
  expect((await commit())!.record.token).toBe("t2");
  expect(published.map(({ expected }) => expected)).toEqual([known, known + 1]);
});

const unanswered = (): Promise<never> => Promise.reject(new UnknownOutcomeError(new Error("no answer")));

test("an append without an answer is unsettled, and in the log if the tail delivers it before another message is stored", async () => {
  const { append, committer, published } = committerOver(({ record }, receive) => {
    if (published.length === 1) return unanswered();
    // What was sent first is where the control message was to be.
    receive(published[0]!.record!);
    expect(record!.token).not.toBe("t1");
    return refusal(known + 1);
  });
  await expect(append()).rejects.toBeInstanceOf(UnknownOutcomeError);
  expect(committer.unsettled).toBe(true);
  expect((await committer.settle())!.record.token).toBe("t1");
  expect(committer.unsettled).toBe(false);
});

test("an append without an answer is called off permanently by a control message in its place, which is sent until it is stored", async () => {
  const { append, committer, published, head } = committerOver(({ expected }) =>
    published.length < 4 ? unanswered() : Promise.resolve(expected! + 1),
  );
  await expect(append()).rejects.toBeInstanceOf(UnknownOutcomeError);
  expect(await committer.settle()).toBeUndefined();
  expect(committer.unsettled).toBe(false);
  expect(published.map(({ expected }) => expected)).toEqual([known, known, known, known]);
  expect(new Set(published.slice(1).map(({ record }) => record!.token)).size).toBe(1);
  expect(head.seq).toBe(known + 1);
});

test("an append that the server refuses is not unsettled", async () => {
  const { append, committer } = committerOver(() => Promise.reject(new SpillwayError("store-full")));
  await expect(append()).rejects.toMatchObject({ code: "store-full" });
  expect(committer.unsettled).toBe(false);
});
