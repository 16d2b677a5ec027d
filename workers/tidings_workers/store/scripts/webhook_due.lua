--[[
  Read the state of a webhook endpoint, and the deliveries whose time has come.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant and id, with a slash between them
  ARGV[2]  the time in ms
  ARGV[3]  limit of deliveries
  ARGV[4]  1 for the next delivery, whatever its time

  Returns {fields of the state, pending deliveries, time of the next one or '', deliveries}: each is {id, JSON, body},
  the earliest event first.
]]

--- @include "tag"

local owner, now, limit, any = unpack(ARGV)
local pending, found = tag .. '/webhook-pending/' .. owner, {}
local due
if any == '1' then
  due = redis.call('ZRANGE', pending, 0, 0)
else
  due = redis.call('ZRANGE', pending, '-inf', now, 'BYSCORE')
end

-- The time and the number of an event. A notice of lost events has neither: it precedes the others.
local places = {}
for _, id in ipairs(due) do
  local at, number = string.match(id, '^evt_(%x+)_%x+_(%d+)$')
  places[id] = { at and tonumber(at, 16) or 0, number and tonumber(number) or 0 }
end
table.sort(due, function(id, other)
  local own, others = places[id], places[other]
  if own[1] ~= others[1] then return own[1] < others[1] end
  if own[2] ~= others[2] then return own[2] < others[2] end
  return id < other
end)
for i = 1, math.min(#due, tonumber(limit)) do
  local id = due[i]
  local delivery = redis.call('HGET', tag .. '/webhook-deliveries/' .. owner, id)
  found[#found + 1] = { id, delivery or '', redis.call('HGET', tag .. '/webhook-bodies/' .. owner, id) or '' }
end
local first = redis.call('ZRANGE', pending, 0, 0, 'WITHSCORES')
local state = redis.call('HGETALL', tag .. '/webhook/' .. owner)
return { state, redis.call('ZCARD', pending), first[2] or '', found }
