-- Swap a user's state for what a mark makes of it. ARGV[1]: packed {base, tenant, user, version that was
-- read, token, time, {{log, state}, ...}, {{log, {field, time, ...}}, ...}, {{log, {field, ...}}, ...},
-- {{log, kind, spans}, ...}, change, origin}: new states, times to keep, times to drop, what was never seen
-- or read before, and the change as the gateways get it. Answers {1, state version, changes} when it stands,
-- also when it already did (the token in the journal tells), {0} when the state has moved on.

--- @include "tag"
--- @include "add_delivered"
--- @include "is_counted"
--- @include "add_to_ingress"
--- @include "publish_change"

local request = cmsgpack.unpack(ARGV[1])
local base, token = request[1], request[5]
local key = tag .. '/' .. base
local known = redis.call('HMGET', key, 'marks', 'changes')
local version = request[4] + 1
local number = string.format('%.0f', version)
if tonumber(known[1] or '0') ~= request[4] then
  -- If this swap took place it made that version, whatever has followed.
  local made = redis.call('LINDEX', key .. '/marks', version - tonumber(known[1] or '0') - 1)
  local name = number .. ' ' .. token .. ' '
  if made and string.sub(made, 1, #name) == name then return { 1, version, known[2] or 0 } end
  return { 0 }
end
redis.call('HSET', key, 'marks', number, 'marked', string.format('%.0f', request[6]))
for _, field in ipairs(request[7]) do redis.call('HSET', key .. '/state', field[1], field[2]) end
for _, kept in ipairs(request[8]) do
  for i = 1, #kept[2], 2 do redis.call('HSET', key .. '/times/' .. kept[1], kept[2][i], kept[2][i + 1]) end
end
for _, dropped in ipairs(request[9]) do
  for _, field in ipairs(dropped[2]) do redis.call('HDEL', key .. '/times/' .. dropped[1], field) end
end

local moves = {}
local function count(log, kind, spans)
  for _, span in ipairs(spans) do
    if is_counted(base, log, span) then
      moves[#moves + 1] = { request[2], log, kind, span[1], span[2], { request[3] } }
    end
  end
end
for _, move in ipairs(request[10]) do
  local log, kind, spans = move[1], move[2], move[3]
  -- What was seen has been delivered, whether a device said so or not.
  if kind == 'seen' then count(log, 'delivered', add_delivered(base, log, spans)) end
  count(log, kind, spans)
end
if #moves > 0 then add_to_ingress({ { 'v', moves } }) end

-- A list: a stream would take its first block of 4 KB for a single mark.
redis.call('RPUSH', key .. '/marks', number .. ' ' .. token .. ' ' .. request[11])
redis.call('LTRIM', key .. '/marks', -100, -1)
publish_change(base, { 's', base, version, request[11], request[12] })
write_feeds()
return { 1, version, redis.call('HGET', key, 'changes') }
