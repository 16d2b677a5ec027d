--[[
  Accept one plain send, as accept_plain.lua does for several: this is what most requests need, and one send without
  loops and tables takes two thirds of the time.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant
  ARGV[2]  ms since the send was accepted
  ARGV[3]  base of its log
  ARGV[4]  the stored content as JSON
  ARGV[5]  when it expires, Unix ms, 0 for never
  ARGV[6]  category or ''

  Returns 1, or 0 when it was not accepted because its group has no members (see accept_plain.lua).
]]

--- @include "tag"
--- @include "accepted_key"
--- @include "entry_fields"
--- @include "list_sent"
--- @include "write_feed"

local tenant, waited, base, content, expires, category = unpack(ARGV)
local key, kind, recipients = tag .. '/' .. base, string.sub(base, 1, 1), 1
local id = string.sub(content, 8, 43)
local accepted = accepted_key(tenant, id)
if redis.call('HEXISTS', accepted, id) == 1 then return 1 end
if kind == 'a' then
  recipients = -1
elseif kind == 'g' then
  recipients = redis.call('ZCARD', key .. '/members')
  if recipients == 0 then return 0 end
end

local position = redis.call('HINCRBY', key, 'head', 1)
local entry = string.format('%.0f', position)
if expires == '0' and category == '' then
  redis.call('XADD', key .. '/log', entry .. '-0', 'n', content)
else
  redis.call('XADD', key .. '/log', entry .. '-0',
    unpack(entry_fields(base, entry, content, tonumber(expires), '', category)))
end
-- The retention sweep visits the log as soon as it has a first entry.
if position == 1 then redis.call('ZADD', tag .. '/due', 'LT', 0, base) end
redis.call('HSET', accepted, id, entry .. ' ' .. waited .. ' ' .. recipients .. ' ' .. base)
list_sent(tenant, id, 'c', category)
-- One command for both: the gateways, and the events that somebody wants.
local known = redis.call('HMGET', interest, base, 'events/' .. tenant)
local gateways = known[1]
if known[2] then
  --- @include "stored_event"
  wishes[tenant] = known[2]
  stored_event(tenant, id, base, recipients)
end
if gateways then
  local items = { { 'n', base, position, content, tonumber(expires), '' } }
  for gateway in string.gmatch(gateways, '%S+') do write_feed(gateway, items) end
end
return 1
