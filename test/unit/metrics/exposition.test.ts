import { expect, test } from "vitest";
import { parseExposition, valueOf } from "../../support/exposition.ts";

const head = "# HELP a_total Some\n# TYPE a_total counter\n";
const histogram = "# HELP h H\n# TYPE h histogram\n";

test("the reader accepts what Prometheus accepts", () => {
  const text = `${head}a_total{x="1",y="q\\"\\\\\\n"} 2\na_total{x="2"} 1.5e-7\n\n${histogram}h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n`;
  const metrics = parseExposition(text);
  expect(valueOf(metrics, "a_total", { y: 'q"\\\n' })).toBe(2);
  expect(valueOf(metrics, "h_count")).toBe(2);
});

test.each([
  ["a sample without HELP and TYPE", "a_total 1\n"],
  ["a sample behind HELP alone", "# HELP a_total Some\na_total 1\n"],
  ["the same sample twice", `${head}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 1\n`],
  ["the same metric twice", head + head],
  ["a sample of another metric", `${head}b_total 1\n`],
  ["a counter by another name", "# HELP a Some\n# TYPE a counter\na 1\n"],
  ["a gauge by a counter's name", "# HELP a_total Some\n# TYPE a_total gauge\na_total 1\n"],
  ["a counter below zero", `${head}a_total -1\n`],
  ["a quote that is not escaped", `${head}a_total{x="1"2"} 1\n`],
  ["a label twice", `${head}a_total{x="1",x="2"} 1\n`],
  ["what is no number", `${head}a_total Nan\n`],
  ["a last line that does not end", `${head}a_total 1`],
  ["buckets that shrink", `${histogram}h_bucket{le="1"} 3\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n`],
  [
    "buckets out of order",
    `${histogram}h_bucket{le="2"} 1\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n`,
  ],
  ["a last bucket that is not the count", `${histogram}h_bucket{le="+Inf"} 1\nh_sum 3\nh_count 2\n`],
  ["a histogram without its sum", `${histogram}h_bucket{le="+Inf"} 1\nh_count 1\n`],
])("the reader refuses %s", (_, text) => {
  expect(() => parseExposition(text)).toThrow(Error);
});
