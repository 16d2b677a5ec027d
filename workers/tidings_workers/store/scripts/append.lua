-- Shared head of the scripts that change logs.
--
-- KEYS[1] is the partition's hash tag; every key below begins with it, so all of them are in the
-- slot that the caller routed to.
--
-- Appending and telling the gateways happen in one script: log and feed can't disagree. A gateway
-- whose feed no longer exists is dead (it keeps its feeds alive by their TTL) and loses its
-- interest here, so nothing accumulates for it.

local tag = KEYS[1]
local FEED_LENGTH = 1024

local interested = {}
local outbox = {}

-- Tell every gateway that holds something of `base`.
local function route(base, item)
  local gateways = interested[base]
  if not gateways then
    gateways = redis.call('SMEMBERS', tag .. '/' .. base .. '/gateways')
    interested[base] = gateways
  end
  for i = 1, #gateways do
    local items = outbox[gateways[i]]
    if items then
      items[#items + 1] = item
    else
      outbox[gateways[i]] = { item }
    end
  end
end

-- One packed feed entry per call and gateway.
local function flush()
  for gateway, items in pairs(outbox) do
    local sent = redis.call('XADD', tag .. '/feed/' .. gateway, 'NOMKSTREAM', 'MAXLEN', '~', FEED_LENGTH,
      '*', 'f', cmsgpack.pack(items))
    if not sent then
      for i = 1, #items do
        redis.call('SREM', tag .. '/' .. items[i][2] .. '/gateways', gateway)
      end
    end
  end
end

-- The next dense position of the log. `expires` is milliseconds since the epoch or 0, `exclude`
-- is user ids apart by commas or '', `category` a text or ''.
local function append(base, content, expires, exclude, category)
  local key = tag .. '/' .. base
  local position = redis.call('HINCRBY', key, 'head', 1)
  local entry = string.format('%.0f', position)
  local fields = { 'n', content }
  if expires > 0 then
    fields[3], fields[4] = 'x', string.format('%.0f', expires)
    -- For the counts: from then on the position is a hole.
    redis.call('ZADD', key .. '/expiring', fields[4], entry)
  end
  if exclude ~= '' then
    fields[#fields + 1] = 'e'
    fields[#fields + 1] = exclude
    redis.call('ZADD', key .. '/excludes', entry, entry)
  end
  if category ~= '' then
    fields[#fields + 1] = 'c'
    fields[#fields + 1] = category
    redis.call('ZADD', key .. '/in/' .. category, entry, entry)
    redis.call('ZADD', key .. '/categories', 0, category)
  end
  redis.call('XADD', key .. '/log', entry .. '-0', unpack(fields))
  -- When a sweep has to look at the log: at its next expiry, and from its first entry on for its retention.
  if expires > 0 then
    redis.call('ZADD', tag .. '/due', 'LT', expires, base)
  end
  if position == 1 then
    redis.call('ZADD', tag .. '/due', 'NX', 0, base)
  end
  route(base, { 'n', base, position, content, expires, exclude })
  return position
end

-- Tell of anything but an append, and how many changes that makes: a gateway that has heard of as many has
-- missed none; positions show what it missed of the rest.
local function change(base, item)
  item[#item + 1] = redis.call('HINCRBY', tag .. '/' .. base, 'changes', 1)
  route(base, item)
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The next number of this partition: microseconds, made to rise. Numbers stay ahead of every `applied` mark
-- even when this partition lost its last second to a crash.
local function next_number()
  local time = redis.call('TIME')
  local number = time[1] * 1000000 + time[2]
  local last = tonumber(redis.call('HGET', tag .. '/partition', 'ingress') or '0')
  if number <= last then number = last + 1 end
  local text = string.format('%.0f', number)
  redis.call('HSET', tag .. '/partition', 'ingress', text)
  return text
end

-- One packed entry for the dispatcher.
local function ingest(operations)
  if #operations == 0 then return end
  redis.call('XADD', tag .. '/ingress', next_number() .. '-0', 'o', cmsgpack.pack(operations))
end

-- A notification's record: a fixed head that changes in place, then what was asked for.
--   status 1 | accepted 13 | stored 13 | position 16 | recipients 10 | `to` JSON \n content JSON
-- Status: a accepted, x being expanded, s stored, c cancelled, r recalled. Times are milliseconds.
-- Recipients -1 is unknown (a target of all).
local function header(status, accepted, stored, position, recipients)
  return string.format('%s%013.0f%013.0f%016.0f%010.0f', status, accepted, stored, position, recipients)
end
