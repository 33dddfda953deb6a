/** What nodes agree on by the server, in one step each. Time is the server's. */
import { readMeta, type Script, script } from "./script.ts";

/** The server's clock, in ms since 1970. */
const clock = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)`;

/**
 * KEYS: lease, meta. ARGV: owner, node, ttl in ms. Answers the fence, or nil, and where the log stands.
 * The fence is at least the server's time: it grows also where the server has lost the one before.
 */
export const acquireScript: Script = script(
  readMeta,
  clock,
  `
local held = redis.call('HMGET', KEYS[1], 'fence', 'owner', 'until')
if held[2] and held[2] ~= ARGV[1] and tonumber(held[3]) > now then return false end
local fence = math.max(tonumber(held[1] or 0) + 1, now)
redis.call('HSET', KEYS[1], 'fence', fence, 'owner', ARGV[1], 'node', ARGV[2], 'until', now + tonumber(ARGV[3]))
return {fence, snapshot(KEYS[2])}`,
);

/** KEYS: lease. ARGV: fence, owner, ttl in ms. Answers 1 if the lease is kept. */
export const renewScript: Script = script(
  clock,
  `
local held = redis.call('HMGET', KEYS[1], 'fence', 'owner')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'until', now + tonumber(ARGV[3]))
return 1`,
);

/** KEYS: lease. ARGV: fence, owner. */
export const releaseScript: Script = script(`
local held = redis.call('HMGET', KEYS[1], 'fence', 'owner')
if held[1] == ARGV[1] and held[2] == ARGV[2] then redis.call('HDEL', KEYS[1], 'owner', 'node', 'until') end
return 0`);

/** KEYS: lease. Answers the node and the fence, or nil. */
export const holderScript: Script = script(
  clock,
  `
local held = redis.call('HMGET', KEYS[1], 'node', 'fence', 'until')
if not held[1] or tonumber(held[3]) <= now then return false end
return {held[1], held[2]}`,
);

/** KEYS: wants. ARGV: node, ttl in ms. */
export const wantScript: Script = script(
  clock,
  `
local ttl = tonumber(ARGV[2])
if ttl > 0 then redis.call('HSET', KEYS[1], ARGV[1], now + ttl) else redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0`,
);

/** KEYS: wants. Answers 1 if a node needs the stream, and forgets those whose time is over. */
export const wantedScript: Script = script(
  clock,
  `
local all, wanted = redis.call('HGETALL', KEYS[1]), 0
for at = 1, #all, 2 do
  if tonumber(all[at + 1]) > now then wanted = 1 else redis.call('HDEL', KEYS[1], all[at]) end
end
return wanted`,
);
