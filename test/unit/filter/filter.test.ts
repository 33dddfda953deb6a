import { describe, expect, test } from "vitest";
import { compileFilter } from "../../../src/filter/filter.ts";
import type { FilterEvent } from "../../../src/filter/variables.ts";

function event(data: unknown, rest: Partial<FilterEvent> = {}): FilterEvent {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return { event: "trade", channel: "btc-usd", upstreamId: "17", ...rest, data: text };
}

const trade = event({
  price: 101.5,
  size: 3,
  symbol: "BTC",
  type: "limit",
  note: null,
  tags: ["spot", "large"],
  fills: [
    { venue: "a", price: 101 },
    { venue: "b", price: 102 },
  ],
  names: { "a-b": 1 },
});

/** The error of an expression, with the part of it from its position on. */
async function refusalOf(text: string): Promise<readonly [message: string, from: string]> {
  const error: unknown = await compileFilter(text).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, text).toMatchObject({ code: "filter-invalid", field: "filter" });
  const { message, position } = error as { readonly message: string; readonly position: number };
  expect(message).toContain(`(at position ${position})`);
  return [message, text.slice(position)];
}

test.each([
  ['event == "trade"', true],
  ['channel == "btc-usd" && id == "17"', true],
  ["data.price > 100", true],
  ["data.price > 101.5", false],
  ["data.size == 3", true],
  ['data["symbol"] == "BTC" && data.names["a-b"] == 1.0', true],
  ['data.type == "limit"', true],
  ['data.symbol in ["ETH", "BTC"]', true],
  ['"spot" in data.tags', true],
  ['"price" in data', true],
  ["data.note == null", true],
  ["has(data.price) && !has(data.missing)", true],
  ["data.fills[1].price == 102", true],
  ['data.fills.exists(fill, fill.venue == "b" && fill.price > 101)', true],
  ["data.fills.all(fill, data.fills.exists(other, other.price >= fill.price))", true],
  ["data.fills.exists_one(fill, fill.price > 101)", true],
  ["data.names.exists(name, name == 'a-b')", true],
  ["size(data.tags) == 2 && data.symbol.size() == 3", true],
  ['data.symbol.lowerAscii() == "btc" && channel.upperAscii() == "BTC-USD"', true],
  ['channel.startsWith("btc") && channel.endsWith("usd") && channel.contains("-")', true],
  ["data.price * 2.0 - 3.0 == 200.0 && int(data.size) % 2 == 1", true],
  ['string(int(data.size)) + "!" == "3!"', true],
  ['data.size > 2 ? data.symbol == "BTC" : false', true],
])("%s is %s", async (text, expected) => {
  expect((await compileFilter(text)).test(trade)).toBe(expected);
});

test.each([
  ["a missing field", "data.missing > 1"],
  ["a field of a missing field", "has(data.missing.field)"],
  ["an operator that is not defined for its operands", "data.symbol > 1"],
  ["a double with an integer", "data.size + 1 == 4"],
  ["an index outside of the list", 'data.tags[2] == "x"'],
  ["an index that is not whole", 'data.tags[0.5] == "x"'],
  ["a text that is no boolean", "bool(data.symbol)"],
  ["a number of more than 64 bits as an integer", "int(data.price * 1e300) > 0"],
  ["a value that is not a condition", "data.symbol"],
  ["a division by zero", "int(data.size) / 0 == 1"],
  ["an integer of more than 64 bits", "9223372036854775807 + int(data.size) > 0"],
  ["an element without the field", "data.fills.all(fill, fill.missing == 1)"],
])("there is no result for %s", async (_, text) => {
  expect((await compileFilter(text)).test(trade)).toBeUndefined();
});

test("an operand that decides a condition does so even if the other one has no result", async () => {
  expect((await compileFilter('data.missing == 1 || event == "trade"')).test(trade)).toBe(true);
  expect((await compileFilter('data.missing == 1 && event == "quote"')).test(trade)).toBe(false);
});

test("data that is not JSON is a text, and a missing channel or id is an empty one", async () => {
  const filter = await compileFilter('data == "hello" && channel == "" && id == ""');
  expect(filter.test(event("hello", { channel: undefined, upstreamId: undefined }))).toBe(true);
});

test("the letter case of ASCII changes in every text, and a character of two code units counts as one", async () => {
  const filter = await compileFilter(
    'data.lowerAscii() == "é😀straße" && data.upperAscii() == "é😀STRAßE" && size(data) == 8',
  );
  expect(filter.test(event("é😀StraßE"))).toBe(true);
});

test("fields that every object inherits are missing", async () => {
  for (const name of ["constructor", "toString", "__proto__"]) {
    expect((await compileFilter(`has(data.${name})`)).test(trade)).toBe(false);
    expect((await compileFilter(`"${name}" in data`)).test(trade)).toBe(false);
  }
});

test("equal expressions have the same key, and others do not", async () => {
  const keyOf = async (text: string): Promise<string> => (await compileFilter(text)).key;
  const key = await keyOf('data.price>100&&event=="trade"');
  expect(await keyOf(" ((data.price) > 0x64) && (event == 'trade') // a comment")).toBe(key);
  for (const other of ['data.price > 100.0 && event == "trade"', 'event == "trade" && data.price > 100'])
    expect(await keyOf(other)).not.toBe(key);
  expect(await keyOf("data.a - (data.b - data.c) == 1")).not.toBe(await keyOf("data.a - data.b - data.c == 1"));
  expect(await keyOf("data.a == 0.00000000001")).not.toBe(await keyOf("data.a == 0.00000000002"));
});

describe("an expression is refused with its position", () => {
  test.each([
    ["", "Unexpected token: EOF", ""],
    ["data.price >", "Unexpected token: EOF", ""],
    ["data.price > 100 100", "Unexpected character", "100"],
    ['event == "trade', "Unterminated string", '"trade'],
    ["data.price > 1 && price > 2", "unknown variable price", "price > 2"],
    ["channel > 5", "no such overload: string > int", "channel > 5"],
    ["channel", "expected a condition, got a value of the type string", "channel"],
    ['channel.matches("(a+)+$")', "matches() is not supported", 'channel.matches("(a+)+$")'],
    ["cel.bind(x, data, x == x)", "bind() is not supported", "cel.bind(x, data, x == x)"],
    ["true || data.tags.map(t, t) == []", "map() is not supported", "data.tags.map(t, t) == []"],
    ["data == {'a': 1}", "maps are not supported", "{'a': 1}"],
    ["data.price == 1u", "types uint and bytes", "1u"],
    ["has(data)", "has() needs a field", "data)"],
    ["data.constructor()", "constructor() is not supported", "data.constructor()"],
    ["9223372036854775808 > 1", "at most 64 bits", "9223372036854775808 > 1"],
    [`${"(".repeat(400)}true${")".repeat(400)}`, "Exceeded maxDepth", `${"(".repeat(368)}true${")".repeat(400)}`],
    [Array(110).fill("true").join("||"), "Exceeded maxAstNodes", undefined],
    [`channel == "${"x".repeat(10_240)}"`, "expected at most 1024 bytes, got 10253", undefined],
    ["(".repeat(10_000), "expected at most 1024 bytes", undefined],
  ])("%.60s", async (text, expected, from) => {
    const [message, rest] = await refusalOf(text);
    expect(message).toContain(expected);
    if (from !== undefined) expect(rest).toBe(from);
  });
});

describe("an evaluation that exceeds its budget has no result", () => {
  const list = event({ list: Array.from({ length: 1000 }, (_, i) => i) });

  test.each([
    ["data.text == 'x'", true],
    ["data.text.startsWith(data.text)", undefined],
    ['data.text.contains("éb")', undefined],
    ["data.text.lowerAscii() == ''", undefined],
    ["size(data.text) == 9", undefined],
    ["bool(data.text + data.text)", undefined],
    ["(data.text + data.text) in data", undefined],
    ["string(data.number) == ''", undefined],
    ["[data, data] == [data]", undefined],
  ])("%s, 20 times: %s", async (text, expected) => {
    const repeated = event({ text: "aé".repeat(90), number: 1.5 });
    expect((await compileFilter(`[1].all(n, ${text} || true)`)).test(repeated)).toBe(true);
    const twenty = `[${Array(20).fill(1).join()}]`;
    expect((await compileFilter(`${twenty}.all(n, ${text} || true)`)).test(repeated)).toBe(expected);
  });

  test.each([
    "data.list.all(a, data.list.all(b, data.list.all(c, a + b + c >= 0.0)))",
    "data.list.exists(a, data.list == data.list && a < 0)",
    "data.list.exists(a, size(data.list + data.list) == 0)",
    "data.list.all(a, string(data.list[0]).size() == 1 && data.list[999] > a - 1.0 && a >= 0 && a < 1000 && a != -1)",
  ])("%s", async (text) => {
    expect((await compileFilter(text)).test(list)).toBeUndefined();
  });

  test("but the elements of a list can be searched, however long the event is", async () => {
    const items = Array.from({ length: 5000 }, (_, i) => ({ sku: `item-${i}`, count: i }));
    const filter = await compileFilter('data.items.exists(item, item.sku == "item-4999" && item.count > 10)');
    expect(filter.test(event({ items }))).toBe(true);
  });

  test("and values that are nested deeply are not compared", async () => {
    const deep = event(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect((await compileFilter("data == data")).test(deep)).toBeUndefined();
  });
});
