import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { createGateway } from "../../../src/config/create-gateway.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { catchConfigError } from "./support.ts";

const streams = { s: {} };

test("workers is a number, or auto for as many as the machine runs at once", () => {
  const resolved = [1, 3, "4", "256"].map((workers) => resolveConfig({ streams, workers }).workers);
  expect(resolved).toEqual([1, 3, 4, 256]);
  expect(resolveConfig({ streams, workers: "auto" }).workers).toBe(availableParallelism());
});

test("another number or word is refused", () => {
  for (const workers of [0, 257, 1.5, -1, "all", ""]) {
    const error = catchConfigError(() => resolveConfig({ streams, workers }));
    expect(error).toMatchObject({
      code: "config-invalid",
      field: "workers",
      expected: '"auto" or a whole number from 1 to 256',
    });
  }
});

test("several workers need a log that several processes can read", () => {
  const error = catchConfigError(() => resolveConfig({ streams, workers: 2, store: "memory:" }));
  expect(error).toMatchObject({
    code: "config-invalid",
    field: "workers",
    expected: "1, or a store that several processes can read: sqlite:<path>",
    got: "2 with a store that only one process can read",
  });
  expect(resolveConfig({ streams, workers: 1, store: "memory:" }).workers).toBe(1);
});

test("a gateway in a program has no workers", async () => {
  for (const workers of [2, "auto"]) {
    const made = createGateway({ streams, workers });
    await expect(made).rejects.toMatchObject({ code: "config-invalid", field: "workers", got: String(workers) });
    await expect(made).rejects.toThrow("spillway serve");
  }
});
