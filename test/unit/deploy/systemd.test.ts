import { expect, test } from "vitest";
import { margin, optionsOf, readText, seconds, stopTime } from "./support.ts";

/** The settings of a unit's section; repeated ones are joined. */
function section(unit: string, name: string): Map<string, string> {
  const [, body = ""] = new RegExp(`^\\[${name}\\]\\n([^[]*)`, "m").exec(unit) ?? [];
  const settings = new Map<string, string>();
  for (const [, key = "", text = ""] of body.matchAll(/^(\w+)=(.*)$/gm))
    settings.set(key, [settings.get(key), text].filter((part) => part !== undefined).join(" "));
  return settings;
}

const unit = readText("deploy/systemd/spillway.service");
const service = section(unit, "Service");

test("each line of the unit is a section, a setting or a comment", () => {
  expect(unit.split("\n").filter((line) => !/^(|#.*|\[(Unit|Service|Install)\]|[A-Z]\w+=.*)$/.test(line))).toEqual([]);
  expect(section(unit, "Install").get("WantedBy")).toBe("multi-user.target");
});

test("the program is started directly, and stopped and reloaded by signals", () => {
  expect(service.get("Type")).toBe("exec");
  expect(service.get("ExecStart")).toMatch(/^\/\S+\/spillway serve --config \/etc\/spillway\/spillway\.yaml$/);
  expect(service.get("ExecReload")).toBe("/bin/kill -HUP $MAINPID");
  expect(service.get("KillSignal")).toBe("SIGTERM");
  expect(service.get("KillMode")).toBe("mixed");
  expect(service.get("Restart")).toBe("on-failure");
});

test("the stop timeout is longer than a stop takes", () => {
  const options = optionsOf("streams: { events: {} }", "spillway.yaml");
  expect(seconds(service.get("TimeoutStopSec"))).toBeGreaterThanOrEqual(stopTime(options) + margin);
});

test("its limit of open files allows one for each client", () => {
  const { limits } = optionsOf("streams: { events: {} }", "spillway.yaml");
  expect(Number(service.get("LimitNOFILE"))).toBeGreaterThanOrEqual(2 * limits.connections);
});

test("it can only write its state", () => {
  expect(service.get("ProtectSystem")).toBe("strict");
  expect(service.get("DynamicUser")).toBe("yes");
  expect(service.get("WorkingDirectory")).toBe(`/var/lib/${service.get("StateDirectory")}`);
  expect(service.get("CapabilityBoundingSet")).toBe("");
  for (const setting of [
    "NoNewPrivileges",
    "ProtectHome",
    "PrivateTmp",
    "PrivateDevices",
    "ProtectKernelTunables",
    "RestrictSUIDSGID",
  ])
    expect([setting, service.get(setting)]).toEqual([setting, "yes"]);
  expect([...service.keys()].filter((key) => /^ReadWrite|^MemoryDeny/.test(key))).toEqual([]);
});
