import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import type { GatewayOptions } from "../../../src/gateway/options.ts";
import { margin, optionsOf, readText, root, stopTime } from "./support.ts";

type Labels = Readonly<Record<string, string>>;

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Container {
  readonly image: string;
  readonly env: readonly Variable[];
  readonly ports: ReadonlyArray<{ readonly name: string; readonly containerPort: number }>;
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
  readonly resources: { readonly requests: Labels; readonly limits: Labels };
  readonly securityContext: object;
  readonly volumeMounts: ReadonlyArray<{ readonly name: string; readonly mountPath: string }>;
}

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
}

interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: object;
  readonly containers: readonly Container[];
  readonly volumes: ReadonlyArray<{ readonly name: string; readonly configMap?: { readonly name: string } }>;
}

/** A manifest, with the members that the tests use. */
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly data?: Labels;
  readonly stringData?: Labels;
  readonly spec: {
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly selector: { readonly matchLabels: Labels };
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod };
    readonly volumeClaimTemplates?: ReadonlyArray<{ readonly metadata: { readonly name: string } }>;
    readonly ports: ReadonlyArray<{ readonly targetPort: string }>;
    readonly scaleTargetRef: { readonly kind: string; readonly name: string };
    readonly minReplicas: number;
    readonly maxUnavailable: number;
    readonly metrics: ReadonlyArray<{ readonly type: string; readonly pods: PodsMetric }>;
    readonly endpoints: ReadonlyArray<{
      readonly port: string;
      readonly authorization: { readonly credentials: { readonly name: string; readonly key: string } };
    }>;
  };
}

interface PodsMetric {
  readonly metric: { readonly name: string };
  readonly target: { readonly type: string; readonly averageValue: string };
}

const folder = "deploy/kubernetes";
const files = readdirSync(join(root, folder)).filter((file) => file !== "kustomization.yaml");
const manifests = files.flatMap((file) =>
  parseAllDocuments(readText(`${folder}/${file}`)).map((document) => document.toJS() as Manifest),
);

const ofKind = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
const workloads = [...ofKind("StatefulSet"), ...ofKind("Deployment")];
const secret = ofKind("Secret")[0]!;

/** The API version of each kind. */
const versions: Readonly<Record<string, string>> = {
  ConfigMap: "v1",
  Deployment: "apps/v1",
  HorizontalPodAutoscaler: "autoscaling/v2",
  Namespace: "v1",
  PodDisruptionBudget: "policy/v1",
  Secret: "v1",
  Service: "v1",
  ServiceMonitor: "monitoring.coreos.com/v1",
  StatefulSet: "apps/v1",
};

test("every manifest has a known kind and version, and a unique name", () => {
  expect(manifests.filter(({ kind, apiVersion }) => versions[kind] !== apiVersion)).toEqual([]);
  expect(new Set(manifests.map(({ kind }) => kind))).toEqual(new Set(Object.keys(versions)));
  const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  expect(names).toEqual([...new Set(names)]);
  for (const name of names) expect(name).toMatch(/^[A-Za-z]+\/[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
});

test("kustomize applies every file except the example of a Secret and the one that needs an operator", () => {
  const { resources, namespace } = parse(readText(`${folder}/kustomization.yaml`)) as {
    readonly resources: readonly string[];
    readonly namespace: string;
  };
  const left = ["secret.example.yaml", "servicemonitor.yaml"];
  expect([...resources, ...left].toSorted()).toEqual(files.toSorted());
  expect(ofKind("Namespace").map(({ metadata }) => metadata.name)).toEqual([namespace]);
  // These are applied by hand.
  for (const kind of ["Secret", "ServiceMonitor"]) expect(ofKind(kind)[0]!.metadata.namespace).toBe(namespace);
});

/** The gateway of a workload: its ConfigMap, with the variables of the example Secret. */
function gatewayOf({ spec }: Manifest): GatewayOptions {
  const { volumes, containers } = spec.template.spec;
  const name = volumes.find(({ configMap }) => configMap)?.configMap?.name;
  const text = ofKind("ConfigMap").find(({ metadata }) => metadata.name === name)!.data!["spillway.yaml"]!;
  const env = containers[0]!.env.map((variable) => [variable.name, valueOf(variable)] as const);
  return optionsOf(text, "spillway.yaml", Object.fromEntries(env));
}

function valueOf({ value, valueFrom }: Variable): string {
  if (value !== undefined) return value;
  const { name, key } = valueFrom!.secretKeyRef;
  const found = name === secret.metadata.name ? secret.stringData![key] : undefined;
  if (found === undefined) throw new Error(`there is no ${key} in the Secret ${name}`);
  return found;
}

describe.each(workloads)("$kind $metadata.name", (workload) => {
  const { spec } = workload;
  const pod = spec.template.spec;
  const container = pod.containers[0]!;

  test("its configuration is valid and listens on the container's port, and every variable in it is set", () => {
    const { listen, streams } = gatewayOf(workload);
    expect(listen).toEqual({ host: "0.0.0.0", port: container.ports[0]!.containerPort });
    expect(Object.keys(streams)).toEqual(["events"]);
  });

  test("its grace period is longer than the sleep of preStop and a stop", () => {
    const sleep = container.lifecycle.preStop.sleep.seconds;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(sleep + stopTime(gatewayOf(workload)) + margin);
  });

  test("its selector matches its pods", () => {
    expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
    expect(workload.metadata.labels).toEqual(spec.template.metadata.labels);
  });

  test("it is alive while it answers, and ready while it can store events", () => {
    expect(container.livenessProbe.httpGet).toEqual({ path: "/healthz", port: container.ports[0]!.name });
    expect(container.startupProbe.httpGet).toEqual(container.livenessProbe.httpGet);
    expect(container.readinessProbe.httpGet).toEqual({ path: "/readyz", port: container.ports[0]!.name });
  });

  test("it complies with the strictest Pod Security Standard", () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(readText("Dockerfile")).toContain("USER 1000:1000\n");
  });

  test("its memory is limited, and its image has a version", () => {
    expect(Object.keys(container.resources.requests).toSorted()).toEqual(["cpu", "memory"]);
    expect(container.resources.limits["memory"]).toMatch(/^\d+[MG]i$/);
    expect(container.image).toMatch(/:\d+\.\d+\.\d+$/);
  });

  test("each of its volumes is mounted, and each mount has a volume", () => {
    const claims = spec.volumeClaimTemplates?.map(({ metadata }) => metadata.name) ?? [];
    const volumes = [...claims, ...pod.volumes.map(({ name }) => name)];
    expect(container.volumeMounts.map(({ name }) => name).toSorted()).toEqual(volumes.toSorted());
  });
});

test("a durable log has one replica and a disk", () => {
  const [stateful] = ofKind("StatefulSet");
  expect(gatewayOf(stateful!).store).toBe("sqlite:/data/spillway.db");
  expect(stateful!.spec.replicas).toBe(1);
  expect(stateful!.spec.volumeClaimTemplates).toHaveLength(1);
  expect(stateful!.spec.template.spec.containers[0]!.volumeMounts).toContainEqual({ name: "data", mountPath: "/data" });
  expect(ofKind("Service").map(({ metadata }) => metadata.name)).toContain(stateful!.spec.serviceName);
});

test("every Service selects the pods of one workload, at one of their ports", () => {
  for (const { spec } of ofKind("Service")) {
    const matching = workloads.filter((workload) => {
      const labels = workload.spec.template.metadata.labels;
      return Object.entries(spec.selector as unknown as Labels).every(([label, text]) => labels[label] === text);
    });
    expect(matching).toHaveLength(1);
    expect(matching[0]!.spec.template.spec.containers[0]!.ports[0]!.name).toBe(spec.ports[0]!.targetPort);
  }
});

test("the edges follow the root, with ids that are valid at each of them", () => {
  const { streams } = gatewayOf(ofKind("Deployment")[0]!);
  const { ids, upstream } = streams["events"]!;
  expect(ids).toBe("upstream");
  const { hostname, port } = new URL(upstream!.targets[0]!.url);
  const service = ofKind("Service").find(({ metadata }) => metadata.name === hostname);
  expect(service).toBeDefined();
  expect(port).toBe("8080");
});

test("the edges are scaled by their subscribers, below their limit of connections", () => {
  const [deployment] = ofKind("Deployment");
  const [autoscaler] = ofKind("HorizontalPodAutoscaler");
  const { scaleTargetRef, metrics, minReplicas } = autoscaler!.spec;
  expect(scaleTargetRef).toMatchObject({ kind: "Deployment", name: deployment!.metadata.name });
  const { metric, target } = metrics[0]!.pods;
  expect([metrics[0]!.type, metric.name, target.type]).toEqual(["Pods", "spillway_subscribers", "AverageValue"]);
  expect(Number(target.averageValue)).toBeLessThan(gatewayOf(deployment!).limits.connections);
  // The autoscaler's number is not set back by the manifest.
  expect(deployment!.spec.replicas).toBeUndefined();
  expect(minReplicas).toBeGreaterThan(1);
});

test("a drain of nodes removes one edge at a time", () => {
  const [budget] = ofKind("PodDisruptionBudget");
  const [deployment] = ofKind("Deployment");
  expect(budget!.spec.maxUnavailable).toBe(1);
  expect(budget!.spec.selector.matchLabels).toEqual(deployment!.spec.selector.matchLabels);
});

test("Prometheus uses a key from the Secret", () => {
  const [{ port, authorization }] = ofKind("ServiceMonitor")[0]!.spec.endpoints as [
    Manifest["spec"]["endpoints"][number],
  ];
  expect(port).toBe("http");
  expect(authorization.credentials.name).toBe(secret.metadata.name);
  expect(Object.keys(secret.stringData!)).toContain(authorization.credentials.key);
});
