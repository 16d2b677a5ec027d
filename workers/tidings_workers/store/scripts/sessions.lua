-- Shared by the scripts that know who is connected.
--
-- `…/connections` of a user has per connection {device or '', connected at ms, gateway}. By gateway there are
-- `{p}/connections/<gateway>`, the user's base per connection, so that an id is enough to find it; and
-- `{p}/closing/<gateway>`, which connections it was told to close with which code, until it has: the feed
-- that tells it is only a hint. A gateway lives as long as its feed does; connections of others don't count.
local KEPT_MS = 3600000

local function alive(gateway) return redis.call('EXISTS', tag .. '/feed/' .. gateway) == 1 end

-- The user's connections as {id, device, connected at, gateway}: those that are open, and those of gateways
-- that have died.
local function connections(base)
  local rows = redis.call('HGETALL', tag .. '/' .. base .. '/connections')
  local open, lost, known = {}, {}, {}
  for i = 1, #rows, 2 do
    local facts = cmsgpack.unpack(rows[i + 1])
    local gateway = facts[3]
    if known[gateway] == nil then known[gateway] = alive(gateway) end
    local list = known[gateway] and open or lost
    list[#list + 1] = { rows[i], facts[1], facts[2], gateway }
  end
  return open, lost
end

-- Take a connection out; false when it was not there.
local function drop(base, id, gateway)
  redis.call('HDEL', tag .. '/connections/' .. gateway, id)
  return redis.call('HDEL', tag .. '/' .. base .. '/connections', id) == 1
end

local function was_seen(base, at)
  local key = tag .. '/' .. base
  if at > tonumber(redis.call('HGET', key, 'seen') or '0') then
    redis.call('HSET', key, 'seen', string.format('%.0f', at))
  end
end

-- Take a connection out and have its gateway close it. `flush` has to follow.
local function close(base, row, code)
  local id, gateway = row[1], row[4]
  local closing = tag .. '/closing/' .. gateway
  drop(base, id, gateway)
  redis.call('HSET', closing, id, code)
  redis.call('PEXPIRE', closing, KEPT_MS)
  if not outbox[gateway] then outbox[gateway] = {} end
  table.insert(outbox[gateway], { 'k', base, { id }, code })
end

-- A connection comes in. `arrival` is packed {id, limit or 0, code}: with a code the oldest give way, the
-- same device's first, and are closed with it; with 0 the new one is refused. Answers 1, or 0 for refused.
local function enter(base, gateway, device, arrival)
  local request = cmsgpack.unpack(arrival)
  local id, limit, code = request[1], request[2], request[3]
  local held = tag .. '/' .. base .. '/connections'
  local now = now_ms()
  -- A repeated call finds itself.
  if limit > 0 and redis.call('HLEN', held) >= limit and redis.call('HEXISTS', held, id) == 0 then
    local open, lost = connections(base)
    for _, row in ipairs(lost) do drop(base, row[1], row[4]) end
    local surplus = #open + 1 - limit
    if surplus > 0 and code == 0 then return 0 end
    table.sort(open, function(a, b)
      local mine, other = device ~= '' and a[2] == device, device ~= '' and b[2] == device
      if mine ~= other then return mine end
      if a[3] ~= b[3] then return a[3] < b[3] end
      return a[1] < b[1]
    end)
    for i = 1, surplus do close(base, open[i], code) end
  end
  redis.call('HSET', held, id, cmsgpack.pack({ device, now, gateway }))
  local index = tag .. '/connections/' .. gateway
  redis.call('HSET', index, id, base)
  redis.call('PEXPIRE', index, KEPT_MS)
  return 1
end
