import { expect, test } from "vitest";
import { createCommitter, type Draft } from "../../../../src/log/nats/committer.ts";
import type { Connection } from "../../../../src/log/nats/connection.ts";
import { WrongSequenceError } from "../../../../src/log/nats/failure.ts";
import { createHead } from "../../../../src/log/nats/head.ts";
import type { OutgoingMessage, Queries } from "../../../../src/log/nats/queries.ts";
import { controlRecord, emptyStanding, type LogRecord } from "../../../../src/log/nats/record.ts";

/** The last message known. */
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
  } satisfies Pick<Queries, "publish"> as Queries;
  const connection = { ready: () => Promise.resolve() } as Connection;
  const committer = createCommitter(connection, queries, head, { check: () => Promise.resolve() }, (seq, { record }) =>
    head.advance(seq, record),
  );
  let drafts = 0;
  const commit = (): Promise<Draft | undefined> =>
    committer.commit((standing) => {
      const record = controlRecord(standing, `t${++drafts}`);
      return { subject: "s", record, data: new Uint8Array(), events: [], batches: [] };
    });
  return { commit, published, head };
}

const refusal = (last: number): Promise<never> =>
  Promise.reject(new WrongSequenceError(`wrong last sequence: ${last}`));

test.each([
  ["knows less", known - 2],
  ["has another message there that never counts", known + 1],
])("what one server stores is not sent anew because another one refuses it that %s", async (_, last) => {
  const { commit, published } = committerOver(({ record }, receive) => {
    setTimeout(() => receive(record!), 120);
    return refusal(last);
  });
  expect((await commit())!.record.token).toBe("t1");
  expect(new Set(published.map(({ record }) => record!.token))).toEqual(new Set(["t1"]));
});

test("what a server refuses that knows less is sent again as it was", async () => {
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

test("what another node was faster than is made anew behind that", async () => {
  const other = controlRecord(emptyStanding("e"), "other");
  const { commit, published } = committerOver(({ expected }, receive) => {
    if (expected !== known) return Promise.resolve(expected! + 1);
    receive(other);
    return refusal(known + 1);
  });
  expect((await commit())!.record.token).toBe("t2");
  expect(published.map(({ expected }) => expected)).toEqual([known, known + 1]);
});
