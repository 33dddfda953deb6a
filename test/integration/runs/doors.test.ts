import { describe, expect, onTestFinished, test } from "vitest";
import { doors } from "../../support/doors.ts";
import { openGateway } from "../../support/gateways.ts";
import { eventually, read } from "../../support/reader.ts";
import { startRunOrigin, type OriginRequest } from "../../support/run-origin.ts";
import { pathOf, withoutIds } from "../../support/runs.ts";

const init = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };

describe.each(doors)("through $name", (kind) => {
  test("a POST starts a run, which others join, follow to its end and stop", async () => {
    const origin = await startRunOrigin();
    const { door, close } = await openGateway("memory", kind, {
      access: { anonymous: ["proxy"] },
      drain: "1s",
      runs: { "/v1/**": { upstream: { url: origin.url } } },
    });
    onTestFinished(close);
    const begin = async (): Promise<{ readonly request: OriginRequest; readonly response: Response }> => {
      const known = origin.requests.length;
      const answering = door.request("/v1/chat", init);
      await eventually(() => origin.requests.length > known, "a request");
      const request = origin.requests[known]!;
      request.send("data: 1\n\n");
      return { request, response: await answering };
    };
    const whole = await begin();
    const reading = read(whole.response);
    await reading.until(({ events }) => events.length === 1);
    const path = pathOf(whole.response);
    const [joined, rest] = [
      await door.request(path),
      await door.request(path, { headers: { "last-event-id": reading.events[0]!.id! } }),
    ];
    whole.request.response.end("data: 2\n\n");
    expect(withoutIds(await joined.text())).toBe("data: 1\n\ndata: 2\n\n");
    expect(withoutIds(await rest.text())).toBe("data: 2\n\n");
    await reading.until(({ ended }) => ended);
    expect(reading.data()).toEqual(["1", "2"]);
    const late = await door.request(path, { headers: { "last-event-id": reading.events[1]!.id! } });
    expect([late.status, await late.text()]).toEqual([204, ""]);
    const state = await door.request(path, { headers: { accept: "application/json" } });
    expect(await state.json()).toMatchObject({ state: "completed", events: 2 });

    const stopped = await begin();
    expect((await door.request(pathOf(stopped.response), { method: "DELETE" })).status).toBe(204);
    await stopped.request.aborted;
    expect(withoutIds(await stopped.response.text())).toBe("data: 1\n\n");

    // The dialect has no words for it: the response must not look complete.
    const cut = await begin();
    cut.request.response.destroy();
    await expect(cut.response.text()).rejects.toThrow();
  });
});
