import { isGlob } from "../util/glob.ts";
import { nothing, rights, type Grant, type Right } from "./grant.ts";
import type { ClaimMapping, JwtOptions } from "./options.ts";

/** The claims of a token that was accepted. */
export type Claims = Readonly<Record<string, unknown>>;

const members: ReadonlySet<string> = new Set(["can", "streams", "channels", "events", "broadcast"]);

/**
 * What a token grants: its claim `spillway`, the rights of every token, and what other claims are mapped to. What is wrongly typed
 * grants nothing; nor does a `spillway` claim with a member that does not exist, which may be a misspelt bound.
 */
export function grantOf(
  claims: Claims,
  { can, broadcast, claims: mappings }: Pick<JwtOptions, "can" | "broadcast" | "claims">,
): Grant {
  const own = readOwn(claims);
  if (!own) return nothing;
  const scope = (name: "streams" | "channels" | "events"): readonly string[] | undefined =>
    mappings[name] ? mapped(claims, mappings[name]) : names(own, name);
  return {
    can: [...new Set([...readRights(claims, own), ...can])],
    streams: scope("streams"),
    channels: scope("channels"),
    events: scope("events"),
    broadcast: broadcast || valueOf(own, "broadcast") === true,
  };
}

/** The claim `spillway`, or an empty one; `undefined` if it is of no use. */
function readOwn(claims: Claims): Claims | undefined {
  const own = valueOf(claims, "spillway");
  if (own === undefined) return {};
  if (typeof own !== "object" || own === null || Array.isArray(own)) return undefined;
  return Object.keys(own).every((name) => members.has(name)) ? (own as Claims) : undefined;
}

/** Who says nothing of rights in a `spillway` claim means the plainest. */
function readRights(claims: Claims, own: Claims): readonly Right[] {
  if (valueOf(claims, "spillway") === undefined) return [];
  const can = valueOf(own, "can");
  if (can === undefined) return ["subscribe"];
  return rights.filter((right) => texts(can).includes(right));
}

function names(own: Claims, member: string): readonly string[] | undefined {
  const value = valueOf(own, member);
  return value === undefined ? undefined : Array.isArray(value) ? texts(value) : [];
}

/** A value comes from whoever filled in a form somewhere: it must name one thing, and not be a pattern for others. */
function mapped(claims: Claims, { claim, template }: ClaimMapping): readonly string[] {
  const value = valueOf(claims, claim);
  return texts(typeof value === "string" ? [value] : value)
    .filter(isPlain)
    .map((text) => template.replaceAll("{}", () => text));
}

function isPlain(text: string): boolean {
  return text.length > 0 && text.length <= 256 && !isGlob(text) && !/[\u0000-\u001f\u007f,]/.test(text);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

function valueOf(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}
