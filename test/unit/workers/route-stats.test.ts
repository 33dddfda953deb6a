import { expect, test } from "vitest";
import type { RoutesStatus, RouteStatus, TargetStatus } from "../../../src/http/gateway-status.ts";
import { addRoutes, onlyCurrent, withoutActive } from "../../../src/workers/ipc/route-stats.ts";

function target(state: TargetStatus["state"], requests: number): TargetStatus {
  return { state, active: 2, waiting: 1, requests, failures: 3, retries: 4, ejections: 5 };
}

function route(requests: number, targets: Readonly<Record<string, TargetStatus>>): RouteStatus {
  return {
    requests,
    active: 6,
    failed: 3,
    responses: { "1xx": 0, "2xx": requests, "3xx": 0, "4xx": 0, "5xx": 2, "none": 1 },
    failures: { "target-failed": 1, "target-timeout": 2, "target-unavailable": 0 },
    targets,
  };
}

test("the counts of several processes add up, and the worst state of a target counts", () => {
  const a: RoutesStatus = { "/a": route(10, { x: target("up", 1), y: target("ejected", 2), z: target("up", 3) }) };
  const b: RoutesStatus = { "/a": route(5, { x: target("down", 7), y: target("up", 8), w: target("up", 9) }) };
  const sum = addRoutes(a, b)["/a"]!;
  expect(sum).toMatchObject({ requests: 15, active: 12, failed: 6, failures: { "target-failed": 2 } });
  expect(sum.responses).toEqual({ "1xx": 0, "2xx": 15, "3xx": 0, "4xx": 0, "5xx": 4, "none": 2 });
  const states = Object.entries(sum.targets).map(([name, { state, requests }]) => [name, state, requests]);
  expect(states).toEqual([
    ["x", "down", 8],
    ["y", "ejected", 10],
    ["z", "up", 3],
    ["w", "up", 9],
  ]);
  expect(addRoutes(addRoutes(a, b), {})).toEqual(addRoutes({}, addRoutes(a, b)));
});

test("the shared responses of several processes add up, where there are any", () => {
  const shared = { streams: 2, connected: 1, subscribers: 5 };
  const [a, b]: RoutesStatus[] = [{ "/a": { ...route(1, {}), shared } }, { "/a": route(1, {}) }];
  expect(addRoutes(a!, b!)["/a"]!.shared).toEqual(shared);
  expect(addRoutes(a!, a!)["/a"]!.shared).toEqual({ streams: 4, connected: 2, subscribers: 10 });
  expect(addRoutes(b!, b!)["/a"]!.shared).toBeUndefined();
  expect(withoutActive(a!)["/a"]!.shared).toEqual({ streams: 0, connected: 0, subscribers: 0 });
});

test("of an ended process only its counts remain, for routes and targets that still exist", () => {
  const ended = withoutActive({
    "/a": route(10, { x: target("down", 1), gone: target("up", 2) }),
    "/gone": route(1, {}),
  });
  expect(ended["/a"]).toMatchObject({ requests: 10, active: 0 });
  expect(ended["/a"]!.targets["x"]).toMatchObject({ state: "up", active: 0, waiting: 0, requests: 1 });
  const kept = onlyCurrent(ended, { "/a": route(1, { x: target("up", 1), new: target("up", 1) }) });
  expect(Object.keys(kept)).toEqual(["/a"]);
  expect(Object.keys(kept["/a"]!.targets)).toEqual(["x"]);
});
