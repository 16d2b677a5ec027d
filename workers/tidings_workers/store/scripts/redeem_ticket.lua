--[[
  Take the token of a ticket, once.

  KEYS[1]  hash tag of the partition
  ARGV[1]  digest of the ticket

  Returns the token, or '' when there is no such ticket, or no longer.
]]

--- @include "tag"

local ticket = tag .. '/ticket/' .. ARGV[1]
local token = redis.call('GET', ticket)
if not token then return '' end
redis.call('DEL', ticket)
return token
