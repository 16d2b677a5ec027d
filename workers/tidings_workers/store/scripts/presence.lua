--[[
  Read the connections of a user.

  KEYS[1]  hash tag of the partition
  ARGV[1]  base of the user's log

  Returns {time in ms at which the user was last connected, or 0, open, lost}; connections.lua describes the rows.
]]

--- @include "tag"
--- @include "connections"

local base = ARGV[1]
local open, lost = connections(base)
return { redis.call('HGET', tag .. '/' .. base, 'seen') or 0, open, lost }
