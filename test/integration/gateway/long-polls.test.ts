import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createGateway } from "spillway";
import { expect, onTestFinished, test } from "vitest";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("a long poll is answered after its wait, also if memory is collected meanwhile", async () => {
  const gateway = await createGateway({ store: "memory:", streams: { s: {} } });
  onTestFinished(() => gateway.close());
  const headers = { accept: "application/json" };
  let answered = 0;
  const polls = Array.from({ length: 20 }, async () => {
    const response = await gateway.fetch(new Request("http://x/streams/s?wait=1", { headers }));
    answered++;
    return (await response.json()) as unknown;
  });
  for (let passes = 0; passes < 200 && answered < polls.length; passes++) {
    collectGarbage();
    await sleep(25);
  }
  expect(answered).toBe(polls.length);
  for (const answer of await Promise.all(polls)) expect(answer).toMatchObject({ events: [], gap: null });
});
