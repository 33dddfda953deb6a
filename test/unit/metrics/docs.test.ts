import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { errorCodes } from "../../../src/errors.ts";
import { allMetrics } from "../../../src/metrics/create-metrics.ts";

const root = resolve(import.meta.dirname, "../../..");
const page = readFileSync(join(root, "docs/operations/metrics.md"), "utf8");
const row =
  /^\| `(?<name>[a-z_]+)` *\| (?<type>counter|gauge|histogram) *\| (?<labels>[^|]+?) *\| (?<help>[^|]+?) *\|$/gm;

/** Names that a query may use; for a histogram, those of its samples. */
const exposedNames = new Set(
  allMetrics.flatMap(({ name, type }) =>
    type === "histogram" ? ["_bucket", "_sum", "_count"].map((suffix) => name + suffix) : [name],
  ),
);
const labelNames = new Set(["le", "instance", "job", ...allMetrics.flatMap(({ labels }) => labels)]);

test("the page lists exactly the existing metrics, with type, labels and meaning", () => {
  const listed = Array.from(page.matchAll(row), ({ groups }) => ({ ...groups }));
  const real = allMetrics.map(({ name, type, labels, help }) => ({
    name,
    type,
    labels: labels.map((label) => `\`${label}\``).join(", ") || "–",
    help,
  }));
  expect(listed).toEqual(real);
});

test("names follow Prometheus' conventions: an own or a usual prefix, and base units", () => {
  for (const { name, type } of allMetrics) {
    expect(name).toMatch(/^(?:spillway|process|nodejs)_[a-z_]+$/);
    expect(name).not.toMatch(/_(?:ms|milliseconds|kb|kilobytes|percent|count|sum|bucket)(?:_|$)/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_seconds$/);
  }
});

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

const alerts = parse(readFileSync(join(root, "deploy/prometheus/alerts.yml"), "utf8")) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = alerts.groups.flatMap((group) => group.rules);

interface Panel {
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

const dashboard = JSON.parse(readFileSync(join(root, "deploy/grafana/spillway.json"), "utf8")) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
};
const panelQueries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const variableQueries = dashboard.templating.list.map(({ query }) => JSON.stringify(query)).join("\n");

/** The metrics that a query names, and the labels. */
function names(query: string): { metrics: string[]; labels: string[] } {
  const bare = query.replaceAll(/"[^"]*"/g, '""');
  return {
    metrics: bare.match(/\b(?:spillway|process|nodejs)_[a-z_]+\b/g) ?? [],
    labels: [
      ...Array.from(bare.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)\s*""/g), ([, label = ""]) => label),
      ...Array.from(bare.matchAll(/\b(?:by|on|without)\s*\(([^)]*)\)/g), ([, list = ""]) => list.split(/,\s*/)).flat(),
    ],
  };
}

test("every metric and label in the alerts and on the dashboard exists", () => {
  const written = /`([^`\n]*\b(?:rate|sum|increase|changes)\b[^`\n]*\([^`\n]*)`/g;
  const inPage = Array.from(page.matchAll(written), ([, query = ""]) => query);
  const queries = [...rules.map(({ expr }) => expr), ...panelQueries, ...inPage];
  expect(inPage.length).toBeGreaterThan(3);
  for (const query of queries) {
    const { metrics, labels } = names(query);
    expect(
      metrics.filter((name) => !exposedNames.has(name)),
      query,
    ).toEqual([]);
    expect(
      labels.filter((label) => !labelNames.has(label)),
      query,
    ).toEqual([]);
    if (!query.includes("up{")) expect(metrics.length, query).toBeGreaterThan(0);
  }
  for (const [name] of variableQueries.matchAll(/spillway_[a-z_]+/g)) expect(exposedNames).toContain(name);
});

test("the codes, reasons and states in the alerts exist", () => {
  const closed = ["client", "stalled", "drain", "store", "token-expired", "revoked", "replaced"];
  const known: Readonly<Record<string, readonly string[]>> = {
    code: Object.keys(errorCodes),
    reason: closed,
    state: ["idle", "connecting", "open", "waiting", "stopped"],
  };
  for (const query of [...rules.map(({ expr }) => expr), ...panelQueries]) {
    for (const [, label = "", values = ""] of query.matchAll(/\b(code|reason|state)=~?"([^"]+)"/g)) {
      for (const value of values.split("|")) {
        const found = known[label]!.some((name) => new RegExp(`^(?:${value})$`).test(name));
        expect(found, `${label} ${value} of ${query}`).toBe(true);
      }
    }
  }
});

test("every Spillway metric is on the dashboard, except those for alerts and queries only", () => {
  const shown = new Set(panelQueries.flatMap((query) => names(query).metrics));
  const unseen = [...exposedNames].filter((name) => name.startsWith("spillway_") && !shown.has(name));
  expect(unseen.filter((name) => !name.endsWith("_sum") && !name.endsWith("_count"))).toEqual([
    "spillway_log_last_event_timestamp_seconds",
  ]);
});

test("alerts have a unique name, a severity and a summary", () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, labels, annotations } of rules) {
    expect(alert).toMatch(/^Spillway[A-Z]\w+$/);
    expect(["critical", "warning"]).toContain(labels.severity);
    expect(annotations.summary.length).toBeGreaterThan(10);
  }
});

test("the dashboard uses the selected data source and streams, and its panels do not overlap", () => {
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "instance", "stream"]);
  const taken = new Set<string>();
  for (const { title, gridPos, targets = [] } of dashboard.panels) {
    for (const { expr, datasource } of targets) {
      expect(datasource.uid).toBe("${datasource}");
      expect(expr, title).toContain("$instance");
    }
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.has(`${x},${y}`), title).toBe(false);
        taken.add(`${x},${y}`);
      }
    }
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
  }
});

test("the configuration of Prometheus loads the rules", () => {
  const config = parse(readFileSync(join(root, "deploy/prometheus/prometheus.yml"), "utf8")) as object;
  expect(config).toMatchObject({ rule_files: ["alerts.yml"], scrape_configs: [{ job_name: "spillway" }] });
});
