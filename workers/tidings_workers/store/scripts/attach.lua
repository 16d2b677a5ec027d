--[[
  Register a connection of a user and its gateway's interest in the user's log, and read what the user's partition
  has for it. Interest is registered first: the feed reports everything that follows the facts.

  KEYS[1]  hash tag of the partition
  ARGV[1]  base of the user's log
  ARGV[2]  gateway
  ARGV[3]  device, or ''
  ARGV[4]  '', or packed for the registration (see register_connection.lua):
    1 id     of the connection
    2 limit  of connections per user, 0 for none
    3 code   to close the oldest ones with, 0 to refuse the new one

  Returns {facts, view, device, admitted}: see facts.lua and view.lua, what acknowledge.lua stored for the device, and
  1, or 0 for a connection that was refused.
]]

--- @include "tag"
--- @include "facts"
--- @include "view"
--- @include "register_connection"

local base, gateway, device, arrival = unpack(ARGV)
local key = tag .. '/' .. base
redis.call('SADD', key .. '/gateways', gateway)
local admitted = 1
if arrival ~= '' then
  local id, limit, code = unpack(cmsgpack.unpack(arrival))
  admitted = register_connection(base, gateway, device, id, limit, code)
end
local stored = device ~= '' and redis.call('HGET', key .. '/devices', device)
local answer = { facts(base), view(base), stored, admitted }
write_feeds()
return answer
