--[[
  Begin a replay of a webhook endpoint, in place of another one.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant and id, with a slash between them
  ARGV[2]  the replay as JSON
  ARGV[3]  its token

  Returns 1, or 0 when there is no such endpoint.
]]

--- @include "tag"

local owner, replay, token = unpack(ARGV)
local root = tag .. '/webhook/' .. owner
if redis.call('EXISTS', root) == 0 then return 0 end
redis.call('HSET', root, 'replay', replay, 'token', token)
return 1
