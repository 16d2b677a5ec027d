--[[
  Register connections of users and their gateway's interest in the users' logs, and read what the partition has for
  each user. Interest is registered first: the feed reports everything that follows the facts.

  KEYS[1]  hash tag of the partition
  ARGV[1]  gateway
  ARGV[2]  packed items:
    1 base    of the user's log
    2 device  or ''
    3 id      of the connection to register (see register_connection.lua), or ''
    4 limit   of connections per user, 0 for none
    5 code    to close the oldest ones with, 0 to refuse the new one

  Returns per item {facts, view, stored, admitted}: see facts.lua and view.lua, what acknowledge.lua stored for the
  device, and 1, or 0 for a connection that was refused.
]]

--- @include "tag"
--- @include "add_to_interest"
--- @include "facts"
--- @include "view"
--- @include "register_connection"

local gateway = ARGV[1]
local answer = {}
for i, item in ipairs(cmsgpack.unpack(ARGV[2])) do
  local base, device, id, limit, code = unpack(item)
  local key = tag .. '/' .. base
  local tenant = string.match(base, '^u/([^/]+)')
  -- One command for both: the gateways, and the events that somebody wants.
  local known = redis.call('HMGET', interest, base, 'events/' .. tenant)
  wishes[tenant] = known[2] or ''
  add_to_interest(gateway, base, known[1])
  local admitted = 1
  if id ~= '' then admitted = register_connection(base, gateway, device, id, limit, code) end
  local stored = device ~= '' and redis.call('HGET', key .. '/devices', device)
  answer[i] = { facts(base), view(base), stored, admitted }
end
write_feeds()
return answer
