-- Change the members of a group. ARGV[1]: packed {base, tenant, group, add, remove}. The user's side
-- of every change goes through this partition's ingress. Answers {added, removed}.

--- @include "tag"
--- @include "decimal"
--- @include "now_us"
--- @include "leavers"
--- @include "add_to_ingress"
--- @include "publish"

local request = cmsgpack.unpack(ARGV[1])
local base, tenant, group = request[1], request[2], request[3]
local key = tag .. '/' .. base
local members = key .. '/members'
local head = tonumber(redis.call('HGET', key, 'head') or '0')
local now = now_us()
local clock = tonumber(redis.call('HGET', key, 'joined') or '0')
local joined, gone = {}, {}

if #request[4] > 0 and redis.call('HSETNX', key, 'created', string.format('%.0f', math.floor(now / 1000))) == 1 then
  redis.call('ZADD', tag .. '/groups/' .. tenant, 0, group)
end
for _, user in ipairs(request[4]) do
  local number = math.max(now, clock + 1)
  -- The score is the number of the joining: it is unique, and the cursor of the list.
  if redis.call('ZADD', members, 'NX', decimal(number), user) == 1 then
    joined[#joined + 1] = user
    clock = number
  end
end
local cut = last_cut(key, now)
for _, user in ipairs(request[5]) do
  local since = redis.call('ZSCORE', members, user)
  if since then
    redis.call('ZREM', members, user)
    gone[#gone + 1] = user
    clock = math.max(now, clock + 1)
    if tonumber(since) <= cut then keep_leaver(key, user, tonumber(since), clock) end
  end
end
if #joined + #gone > 0 then redis.call('HSET', key, 'joined', decimal(clock)) end
if #gone > 0 then prune_leavers(key, now) end

local operations = {}
if #joined > 0 then operations[#operations + 1] = { 'm', tenant, group, true, head, joined } end
if #gone > 0 then operations[#operations + 1] = { 'm', tenant, group, false, head, gone } end
add_to_ingress(operations)
-- The users' side reaches a gateway through other feeds; this one keeps the order with later sends.
if #gone > 0 then publish(base, { 'd', base, head, gone }) end
write_feeds()
return { #joined, #gone }
