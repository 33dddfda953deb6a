/**
 * What the server does in one step each. Redis runs a script as a whole or not at all, and hands it on to its replicas and its
 * append-only file as a whole.
 *
 * KEYS of all but `open`: meta, events, events of the next epoch, ids, keys, ages, senders, lease, places.
 * ARGV of all of them begins with: epoch, next epoch, the head this node knows, the time of the event there (0: not looked at).
 * They answer nil where the log of this epoch is no more.
 */
import { eventOverhead } from "../event-bytes.ts";
import { idempotencyAge } from "../idempotency.ts";
import { placeMember } from "./places.ts";
import { format } from "./schema.ts";
import { readMeta, type Script, script } from "./script.ts";

/**
 * Is this still the log that the node knows? If the server has lost events that the node knows of, or what it holds does not add up,
 * what is left becomes the log of a new epoch. It keeps its numbers and its upstream cursor, so that ingest continues from there.
 */
const begin = `${readMeta}
local meta, events, ids, lease, places = KEYS[1], KEYS[2], KEYS[4], KEYS[8], KEYS[9]
local found = snapshot(meta)
if found[1] ~= ARGV[1] then return false end
local head, earliest = tonumber(found[2]), tonumber(found[3])
local bytes, last_time = tonumber(found[4]), tonumber(found[5])
local known, known_time = tonumber(ARGV[3]), tonumber(ARGV[4])

local function is_other(seq, time)
  if time == 0 or seq < earliest then return false end
  local entry = redis.call('XRANGE', events, seq .. '-0', seq .. '-0')[1]
  return not entry or tonumber(entry[2][2]) ~= time
end

local whole = redis.call('XLEN', events) == head - earliest + 1
if not whole or head < known or is_other(known, known_time) then
  if not whole then
    redis.call('UNLINK', events, ids, places)
    redis.call('HSET', meta, 'earliest', head + 1, 'bytes', 0)
  elseif redis.call('EXISTS', events) == 1 then
    redis.call('RENAME', events, KEYS[3])
  end
  redis.call('HSET', meta, 'epoch', ARGV[2])
  return false
end`;

/** Removes at most \`limit\` events that retention does not keep. The first field of an entry is its time. */
const trim = `${placeMember}
local function trim(limit, now, age, most, heaviest)
  age, most, heaviest = tonumber(age), tonumber(most) or math.huge, tonumber(heaviest) or math.huge
  local first, step = earliest, 1
  local function too_much()
    local count = head - earliest + 1
    return count > most or bytes + ${eventOverhead} * count > heaviest
  end
  local function expired(entry)
    return too_much() or (age and tonumber(entry[2][2]) < now - age)
  end
  local going = age or too_much()
  while going and earliest <= head and earliest - first < limit do
    local entries = redis.call('XRANGE', events, earliest .. '-0', '+', 'COUNT', math.min(step, limit - earliest + first))
    for _, entry in ipairs(entries) do
      if not expired(entry) then going = false break end
      local fields = entry[2]
      for at = 3, #fields, 2 do
        local name, value = fields[at], fields[at + 1]
        if name ~= 'cursor' then bytes = bytes - #value end
        if name == 'publisherId' and value ~= '' then redis.call('ZREM', places, place('p', value, earliest)) end
        if name == 'upstreamId' then
          if redis.call('HGET', ids, value) == tostring(earliest) then redis.call('HDEL', ids, value)
          else redis.call('ZREM', places, place('s', value, earliest)) end
        end
      end
      earliest = earliest + 1
    end
    step = 64
  end
  if earliest > first then
    redis.call('XTRIM', events, 'MAXLEN', '=', head - earliest + 1)
    redis.call('HSET', meta, 'earliest', earliest, 'bytes', bytes)
  end
  return earliest - first
end`;

/**
 * KEYS: meta, ids, keys, ages, senders, places. ARGV: the epoch of a new log. Answers where the log stands, and its format.
 * Forgets what stores appended last that have not been heard of for a day.
 */
export const openScript: Script = script(
  readMeta,
  `
if not redis.call('HGET', KEYS[1], 'epoch') then
  redis.call('DEL', unpack(KEYS))
  redis.call('HSET', KEYS[1], 'format', ${format}, 'epoch', ARGV[1], 'head', 0, 'earliest', 1, 'bytes', 0, 'lastTime', 0)
end
local senders, day_ago = redis.call('HGETALL', KEYS[5]), tonumber(redis.call('TIME')[1]) - 86400
for at = 1, #senders, 2 do
  if cmsgpack.unpack(senders[at + 1]).at < day_ago then redis.call('HDEL', KEYS[5], senders[at]) end
end
return {snapshot(KEYS[1]), redis.call('HGET', KEYS[1], 'format')}`,
);

/**
 * KEYS: meta, and all others of the log of this epoch. ARGV: the epoch; the head, or '' for any. Answers 0 if the log has another epoch
 * or head by now.
 */
export const removeScript: Script = script(`
if (redis.call('HGET', KEYS[1], 'epoch') or '') ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and tonumber(redis.call('HGET', KEYS[1], 'head')) ~= tonumber(ARGV[2]) then return 0 end
redis.call('UNLINK', unpack(KEYS))
return 1`);

/** Answers where the log stands. */
export const checkScript: Script = script(begin, "return found");

/**
 * ARGV: sender, number of the group, clock; age, events and bytes to be kept; number of appends, then for each: fence or '';
 * '=' and the upstream cursor, or ''; '=' and the idempotency key, or ''; its fingerprint; number of events, then for each: 1 if it has
 * a channel plus 2 if it has an id of the source plus 4 if it was published; type, data, and what else it has: the channel, the
 * source's id, the publisher's id, which is empty where there is none.
 * Answers for each append its status (see group.ts), first and last number; the time given to the events; where the log stands.
 */
export const appendScript: Script = script(
  begin,
  trim,
  `
local sender, number, now = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local done = redis.call('HGET', KEYS[7], sender)
if done then
  local group = cmsgpack.unpack(done)
  if group.number >= number then
    -- A write, so that WAIT has something to wait for.
    redis.call('HSET', KEYS[7], sender, done)
    return {group.results, group.time, found}
  end
end

local fence = tonumber(redis.call('HGET', lease, 'fence') or 0)
local time, total, at, results = math.max(now, last_time), 0, 12, {}

local function remembered(key, fingerprint)
  local record = redis.call('HGET', KEYS[5], key)
  local append = record and cmsgpack.unpack(record)
  if not append or append.time <= now - ${idempotencyAge} then return nil end
  if append.fingerprint ~= fingerprint then return {2, 0, 0} end
  return {1, append.first, append.last}
end

local function skip(count)
  for _ = 1, count do
    local flags = tonumber(ARGV[at])
    at = at + 3 + flags % 2 + math.floor(flags / 2) % 2 + math.floor(flags / 4)
  end
end

local function take(fields, name)
  local value = ARGV[at]
  bytes = bytes + #value
  fields[#fields + 1], fields[#fields + 2] = name, value
  at = at + 1
  return value
end

local function add(count, cursor)
  for each = 1, count do
    head = head + 1
    local flags, event, data = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2]
    local fields = {'time', time, 'event', event, 'data', data}
    bytes = bytes + #event + #data
    at = at + 3
    if flags % 2 == 1 then take(fields, 'channel') end
    if math.floor(flags / 2) % 2 == 1 then
      local id = take(fields, 'upstreamId')
      local before = redis.call('HGET', ids, id)
      if before then redis.call('ZADD', places, 0, place('s', id, tonumber(before))) end
      redis.call('HSET', ids, id, head)
    end
    if flags >= 4 then
      local id = take(fields, 'publisherId')
      if id ~= '' then redis.call('ZADD', places, 0, place('p', id, head)) end
    end
    if each == count and cursor then fields[#fields + 1], fields[#fields + 2] = 'cursor', cursor end
    redis.call('XADD', events, head .. '-0', unpack(fields))
  end
  if count > 0 then last_time = time end
  total = total + count
end

for index = 1, tonumber(ARGV[11]) do
  local under, cursor, key, fingerprint, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4])
  at = at + 5
  key = key ~= '' and key:sub(2)
  cursor = cursor ~= '' and cursor:sub(2)
  local result = under ~= '' and tonumber(under) < fence and {3, 0, 0} or key and remembered(key, fingerprint)
  if result then
    skip(count)
  else
    result = {0, head + 1, head + count}
    add(count, cursor)
    if cursor == '' then redis.call('HDEL', meta, 'cursor') elseif cursor then redis.call('HSET', meta, 'cursor', cursor) end
    if key then
      local append = {fingerprint = fingerprint, first = result[2], last = result[3], time = now}
      redis.call('HSET', KEYS[5], key, cmsgpack.pack(append))
      redis.call('ZADD', KEYS[6], now, key)
    end
  end
  results[index] = result
end

redis.call('HSET', meta, 'head', head, 'bytes', bytes, 'lastTime', last_time)
redis.call('HSET', KEYS[7], sender, cmsgpack.pack({number = number, time = time, at = tonumber(redis.call('TIME')[1]), results = results}))
if total > 0 then trim(2 * total, now, ARGV[8], ARGV[9], ARGV[10]) end
return {results, time, snapshot(meta)}`,
);

/**
 * ARGV: clock; age, events and bytes to be kept; the most events to remove.
 * Forgets old idempotency keys besides. Answers how many events it removed, where the log stands, and how many keys there are.
 */
export const trimScript: Script = script(
  begin,
  trim,
  `
local now, limit = tonumber(ARGV[5]), tonumber(ARGV[9])
local old = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now - ${idempotencyAge}, 'LIMIT', 0, limit)
for _, key in ipairs(old) do
  redis.call('HDEL', KEYS[5], key)
  redis.call('ZREM', KEYS[6], key)
end
return {trim(limit, now, ARGV[6], ARGV[7], ARGV[8]), snapshot(meta), redis.call('ZCARD', KEYS[6])}`,
);

/** ARGV: a time. Answers the number behind which it begins. Times never decrease, so it is found by halving. */
export const sinceScript: Script = script(
  begin,
  `
local since, low, high = tonumber(ARGV[5]), earliest, head + 1
while low < high do
  local middle = math.floor((low + high) / 2)
  local entry = redis.call('XRANGE', events, middle .. '-0', middle .. '-0')[1]
  if tonumber(entry[2][2]) < since then low = middle + 1 else high = middle end
end
return low - 1`,
);
