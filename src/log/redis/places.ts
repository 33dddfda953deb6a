/**
 * The sorted set in which events are found by their id. Its members are ordered as bytes: the origin of the id (`s`: the source, `p`: a
 * publisher), the id's length, the id, and the number with as many digits as every other one.
 */
import { maxAlike } from "../log.ts";
import type { Command, Reply } from "./driver.ts";

/** Digits of a number: as many as the largest safe integer has. */
const digits = 16;

/** A part of scripts: the member for an event. */
export const placeMember: string = `
local function place(origin, id, seq)
  return origin .. #id .. ':' .. id .. ':' .. string.format('%0${digits}d', seq)
end`;

/** Asks for the first members of an id, in the order of their numbers. */
export function placesCommand(places: string, origin: "s" | "p", id: string): Command {
  const begin = `${origin}${Buffer.byteLength(id)}:${id}`;
  // `;` follows `:` in the order of bytes.
  return ["ZRANGEBYLEX", places, `[${begin}:`, `(${begin};`, "LIMIT", "0", String(maxAlike)];
}

/** The numbers of members. */
export function numbersOf(reply: Reply): number[] {
  return ((reply ?? []) as readonly Buffer[]).map((member) =>
    Number(member.toString("latin1", member.length - digits)),
  );
}
