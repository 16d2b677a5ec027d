--[[
  Store the outcomes of deliveries of a webhook endpoint, and its positions.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 owner      tenant and id, with a slash between them
    2 now        in ms
    3 positions  in the streams of events as JSON, or '' for those that it has
    4 replay     the replay as JSON, or '' when it has ended
    5 token      of the replay, or '' for none
    6 answers    1 after a success, -1 after a failure, 0 for neither
    7 hasten     whether all pending deliveries are due now
    8 kept       deliveries that have ended to keep, of each status
    9 life       of a delivery that has ended, in ms
    10 items      each:
      1 id        of the event
      2 status    pending, succeeded or failed
      3 time      of the next try of a pending delivery, else of the last one
      4 delivery  as JSON
      5 body      of the request; '' of one that succeeded

  Returns 1, or 0 when the endpoint was removed: nothing is stored.
]]

--- @include "tag"

local owner, now, positions, replay, token, answers, hasten, kept, life, items = unpack(cmsgpack.unpack(ARGV[1]))
local root = tag .. '/webhook/' .. owner
if redis.call('EXISTS', root) == 0 then return 0 end
local deliveries, bodies = tag .. '/webhook-deliveries/' .. owner, tag .. '/webhook-bodies/' .. owner
local lists = {
  pending = tag .. '/webhook-pending/' .. owner,
  succeeded = tag .. '/webhook-succeeded/' .. owner,
  failed = tag .. '/webhook-failed/' .. owner,
}

local function remove(list, ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', list, id)
    redis.call('HDEL', deliveries, id)
    redis.call('HDEL', bodies, id)
  end
end

for _, item in ipairs(items) do
  local id, status, time, delivery, body = unpack(item)
  for name, list in pairs(lists) do
    if name ~= status then redis.call('ZREM', list, id) end
  end
  redis.call('ZADD', lists[status], time, id)
  redis.call('HSET', deliveries, id, delivery)
  if status == 'succeeded' then redis.call('HDEL', bodies, id) else redis.call('HSET', bodies, id, body) end
end
for _, status in ipairs({ 'succeeded', 'failed' }) do
  remove(lists[status], redis.call('ZRANGE', lists[status], 0, -kept - 1))
  remove(lists[status], redis.call('ZRANGE', lists[status], '-inf', now - life, 'BYSCORE', 'LIMIT', 0, 100))
end
if hasten then
  for _, id in ipairs(redis.call('ZRANGE', lists.pending, 0, -1)) do redis.call('ZADD', lists.pending, now, id) end
end
if positions ~= '' then redis.call('HSET', root, 'positions', positions) end
if token ~= '' and redis.call('HGET', root, 'token') == token then
  if replay == '' then redis.call('HDEL', root, 'replay', 'token') else redis.call('HSET', root, 'replay', replay) end
end
if answers == 1 then
  redis.call('HDEL', root, 'failing')
elseif answers == -1 then
  redis.call('HSETNX', root, 'failing', now)
end
return 1
