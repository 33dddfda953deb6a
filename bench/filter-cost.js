/**
 * What the most expensive filter expressions cost: `node bench/filter-cost.js`, after `npm run build`. Each expression is repeated
 * until it has as many parts as it may have, and evaluated for events of at most 200 characters that are made for it. Prints the CPU
 * time of one evaluation for the worst of them, without parsing, the longest first.
 */
import { compileFilter } from "../dist/filter/filter.js";

const rounds = Number(process.env["ROUNDS"] ?? 8);
const size = Number(process.env["SIZE"] ?? 200);

/** JSON that is as long as possible. @param {(index: number) => unknown} make */
function listOf(make) {
  const list = [];
  for (let length = 2; length < size; length += JSON.stringify(list.at(-1)).length + 1) list.push(make(list.length));
  return list.slice(0, -1);
}

/** @param {(index: number) => unknown} make */
function objectOf(make) {
  return Object.fromEntries(listOf((index) => [`k${index}`, make(index)]));
}

const half = Math.floor(size / 2) - 4;
const data = {
  numbers: listOf((index) => index % 10),
  doubles: listOf((index) => 1.5e99 + index),
  digits: listOf(() => "1234567890123456789"),
  lists: listOf(() => []),
  objects: listOf(() => ({})),
  fields: objectOf((index) => index % 10),
  deep: JSON.parse("[".repeat(half) + "]".repeat(half)),
  text: "a".repeat(2 * half),
  mixed: "aé".repeat(half),
  pairs: "😀".repeat(half),
  member: { t: "aé".repeat(half) },
};

/** Expressions, and the operator that joins their repetitions. @type {readonly (readonly [string, "||" | "&&"])[]} */
const expressions = [
  ["data != data", "||"],
  ["data == data", "&&"],
  ["[data, data] == [data, data]", "&&"],
  ["[[[[data]]]] == [[[[data]]]]", "&&"],
  ["data + data == data + data", "&&"],
  ["(data + data) in [data + data, data + data, data + data]", "||"],
  ["1.5 in data", "||"],
  ["data in data", "||"],
  ["'x' in data", "||"],
  ["(data.t + data.t) in data", "||"],
  ["data[data.t + 'x'] == 1", "||"],
  ["has(data.x)", "||"],
  ["data.exists(x, x == 99)", "||"],
  ["data.exists(x, x in data)", "||"],
  ["data.exists(x, has(x.y))", "||"],
  ["data.exists(x, data[x] == 99)", "||"],
  ["data.exists(x, size([x] + [x]) == 9)", "||"],
  ["data.exists_one(x, data)", "||"],
  ["data.all(x, data.all(y, data.all(z, x == y || y == z || true)))", "&&"],
  ["data.all(x, int(x) * 9 > 1.5 || true)", "&&"],
  ["data.all(x, double(x) == 1.1 || true)", "&&"],
  ["data.all(x, string(x) + string(x) == '' || true)", "&&"],
  ["data.all(x, bool(x) || true)", "&&"],
  ["data.contains('aaaaaaaab')", "||"],
  [`data.contains('${"a".repeat(60)}b')`, "||"],
  ["data.startsWith(data)", "&&"],
  ["data.endsWith(data)", "&&"],
  ["data < data", "||"],
  ["size(data) == 9999", "||"],
  ["data.lowerAscii() == ''", "||"],
  ["data.lowerAscii().upperAscii() == ''", "||"],
  ["channel.upperAscii().lowerAscii() == ''", "||"],
  ["bool(data + data)", "||"],
  ["9223372036854775806 / 3 % 7 == 100", "||"],
];

/** The expression with as many repetitions as are accepted. @param {string} text @param {string} operator */
async function longest(text, operator) {
  let filter = await compileFilter(text);
  for (let count = 2; ; count++) {
    try {
      filter = await compileFilter(Array(count).fill(text).join(` ${operator} `));
    } catch {
      return filter;
    }
  }
}

/** The least CPU time of an evaluation, in µs. @param {() => void} evaluate */
function measure(evaluate) {
  const times = 3000;
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const begun = process.cpuUsage();
    for (let n = 0; n < times; n++) evaluate();
    const { user, system } = process.cpuUsage(begun);
    least = Math.min(least, (user + system) / times);
  }
  return least;
}

const results = [];
for (const [text, operator] of expressions) {
  const filter = await longest(text, operator);
  const costs = Object.entries(data).map(([kind, value]) => {
    const event = { event: "trade", channel: "some-channel", upstreamId: "1", data: JSON.stringify(value) };
    return { text, kind, cost: measure(() => filter.test(event)), parsing: measure(() => JSON.parse(event.data)) };
  });
  results.push(costs.reduce((most, next) => (next.cost > most.cost ? next : most)));
}
results.sort((one, other) => other.cost - one.cost);
for (const { text, kind, cost, parsing } of results) {
  console.log(`${cost.toFixed(2)} µs (parsing ${parsing.toFixed(2)} µs) ${text.slice(0, 60)}, ${kind}`);
}
