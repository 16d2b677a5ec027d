-- Change the members of a group. ARGV[1]: packed {base, tenant, group, add, remove}. The user's side
-- of every change goes through this partition's ingress. Answers {added, removed}.
local request = cmsgpack.unpack(ARGV[1])
local base, tenant, group = request[1], request[2], request[3]
local key = tag .. '/' .. base
local members = key .. '/members'
local head = tonumber(redis.call('HGET', key, 'head') or '0')
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('HGET', key, 'joined') or '0')
local joined, gone = {}, {}

if #request[4] > 0 and redis.call('HSETNX', key, 'created', string.format('%.0f', math.floor(now / 1000))) == 1 then
  redis.call('ZADD', tag .. '/groups/' .. tenant, 0, group)
end
for _, user in ipairs(request[4]) do
  if now <= last then now = last + 1 end
  -- The score is when the member joined, in microseconds, made unique: it is the cursor of the list.
  if redis.call('ZADD', members, 'NX', string.format('%.0f', now), user) == 1 then
    joined[#joined + 1] = user
    last = now
  end
end
if #joined > 0 then redis.call('HSET', key, 'joined', string.format('%.0f', last)) end
for _, user in ipairs(request[5]) do
  if redis.call('ZREM', members, user) == 1 then gone[#gone + 1] = user end
end

local operations = {}
if #joined > 0 then operations[#operations + 1] = { 'm', tenant, group, true, head, joined } end
if #gone > 0 then operations[#operations + 1] = { 'm', tenant, group, false, head, gone } end
ingest(operations)
-- The users' side reaches a gateway through other feeds; this one keeps the order with later sends.
if #gone > 0 then route(base, { 'd', base, head, gone }) end
flush()
return { #joined, #gone }
