--[[
  Read the state of a webhook endpoint, and the deliveries whose time has come.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant and id, with a slash between them
  ARGV[2]  the time in ms
  ARGV[3]  limit of deliveries
  ARGV[4]  1 for the next delivery, whatever its time

  Returns {fields of the state, pending deliveries, time of the next one or '', deliveries}: each is {id, JSON, body}.
]]

--- @include "tag"

local owner, now, limit, any = unpack(ARGV)
local pending, found = tag .. '/webhook-pending/' .. owner, {}
local due = redis.call('ZRANGE', pending, '-inf', any == '1' and '+inf' or now, 'BYSCORE', 'LIMIT', 0,
  any == '1' and 1 or limit)
for _, id in ipairs(due) do
  local delivery = redis.call('HGET', tag .. '/webhook-deliveries/' .. owner, id)
  found[#found + 1] = { id, delivery or '', redis.call('HGET', tag .. '/webhook-bodies/' .. owner, id) or '' }
end
local first = redis.call('ZRANGE', pending, 0, 0, 'WITHSCORES')
local state = redis.call('HGETALL', tag .. '/webhook/' .. owner)
return { state, redis.call('ZCARD', pending), first[2] or '', found }
