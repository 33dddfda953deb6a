import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { margin, optionsOf, readText, root, seconds, stopTime } from "./support.ts";

interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[]; readonly interval: string; readonly retries: number };
  readonly stop_grace_period?: string;
  readonly ulimits?: { readonly nofile: { readonly soft: number; readonly hard: number } };
}

interface Compose {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, object>>;
}

const compose = parse(readText("deploy/compose.yaml")) as Compose;
const services = Object.entries(compose.services);
const gateway = compose.services["spillway"]!;
const options = optionsOf(readText("deploy/compose/spillway.yaml"), "deploy/compose/spillway.yaml");

/** The members of a service in the Compose specification that the file uses. */
const members = new Set(
  (
    "build cap_drop command depends_on environment healthcheck image ports profiles read_only restart security_opt " +
    "stop_grace_period sysctls tmpfs ulimits volumes"
  ).split(" "),
);

test("it only has members of the Compose specification", () => {
  expect(Object.keys(compose).toSorted()).toEqual(["name", "services", "volumes"]);
  const unknown = services.flatMap(([, service]) => Object.keys(service).filter((member) => !members.has(member)));
  expect(unknown).toEqual([]);
});

test("without a profile it starts the gateway, Prometheus and Grafana", () => {
  const byDefault = services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
  expect(byDefault).toEqual(["spillway", "prometheus", "grafana"]);
  expect(services.filter(([, { profiles }]) => profiles?.includes("stores")).map(([name]) => name)).toEqual([
    "redis",
    "postgres",
  ]);
});

test("every service has an image of a fixed version and a health check", () => {
  for (const [name, { image, build, healthcheck }] of services) {
    if (build !== undefined) continue;
    expect(image, name).toMatch(/:v?\d+[\w.-]*$/);
    expect(healthcheck?.test[0], name).toBe("CMD");
    expect([seconds(healthcheck?.interval), healthcheck?.retries], name).toEqual([
      expect.any(Number),
      expect.any(Number),
    ]);
  }
  // The gateway's own is in its image.
  expect(gateway.build).toEqual({ context: "..", dockerfile: "Dockerfile" });
  expect(existsSync(join(root, "deploy", gateway.build!.context, gateway.build!.dockerfile))).toBe(true);
});

test("a service only depends on services that exist and have a health check", () => {
  for (const [name, { depends_on: needed = {}, profiles }] of services) {
    for (const [other, { condition }] of Object.entries(needed)) {
      expect(compose.services[other], `${name} needs ${other}`).toBeDefined();
      expect(compose.services[other]!.profiles, `${name} needs ${other}`).toEqual(profiles);
      expect(condition).toBe("service_healthy");
    }
  }
});

test("every volume is declared in the file, or an existing path", () => {
  const named = new Set<string>();
  for (const [name, { volumes = [] }] of services) {
    for (const volume of volumes) {
      const [source = "", target = "", mode] = volume.split(":");
      expect(target, name).toMatch(/^\//);
      if (!source.startsWith(".")) named.add(source);
      else expect([source, existsSync(join(root, "deploy", source)), mode]).toEqual([source, true, "ro"]);
    }
  }
  expect([...named].toSorted()).toEqual(Object.keys(compose.volumes).toSorted());
});

/** The path of a repository file for a service. */
function mountOf(service: string, file: string): string | undefined {
  const volume = compose.services[service]!.volumes!.find((text) => text.startsWith(`${file}:`));
  return volume?.split(":")[1];
}

test("Prometheus scrapes the gateway and loads the alerts, and Grafana reads Prometheus and the dashboard", () => {
  const prometheus = parse(readText("deploy/compose/prometheus.yml")) as {
    readonly rule_files: readonly string[];
    readonly scrape_configs: readonly [{ readonly static_configs: readonly [{ readonly targets: readonly string[] }] }];
  };
  const own = mountOf("prometheus", "./compose/prometheus.yml");
  expect(compose.services["prometheus"]!.command).toContain(`--config.file=${own}`);
  expect(prometheus.rule_files).toEqual([mountOf("prometheus", "./prometheus/alerts.yml")]);
  expect(prometheus.scrape_configs[0].static_configs[0].targets).toEqual([`spillway:${options.listen.port}`]);
  expect(options.access.anonymous.can).toContain("admin");

  const { datasources } = parse(readText("deploy/compose/grafana-datasource.yaml")) as {
    readonly datasources: readonly [{ readonly url: string }];
  };
  expect(datasources[0].url).toBe("http://prometheus:9090");
  const { providers } = parse(readText("deploy/compose/grafana-dashboards.yaml")) as {
    readonly providers: readonly [{ readonly options: { readonly path: string } }];
  };
  expect(mountOf("grafana", "./grafana/spillway.json")).toBe(`${providers[0].options.path}/spillway.json`);
  for (const kind of ["datasource", "dashboards"]) {
    const folder = kind === "datasource" ? "datasources" : kind;
    expect(mountOf("grafana", `./compose/grafana-${kind}.yaml`)).toBe(
      `/etc/grafana/provisioning/${folder}/spillway.yaml`,
    );
  }
});

test("ports with anonymous rights are only open on this machine", () => {
  expect(options.access.anonymous.can).toContain("publish");
  const ports = services.flatMap(([, service]) => service.ports ?? []);
  expect(ports.filter((port) => !/^127\.0\.0\.1:\d+:\d+$/.test(port))).toEqual([]);
});

test("the gateway has more time to stop than it needs, and a file descriptor for each client", () => {
  expect(seconds(gateway.stop_grace_period)).toBeGreaterThanOrEqual(stopTime(options) + margin);
  expect(gateway.ulimits!.nofile.soft).toBeGreaterThanOrEqual(2 * options.limits.connections);
});
