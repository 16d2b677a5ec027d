--[[
  Create the state of a webhook endpoint.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant and id, with a slash between them
  ARGV[2]  positions in the streams of events as JSON

  Returns 1, or 0 when it exists: the call was repeated.
]]

--- @include "tag"

local owner, positions = unpack(ARGV)
return redis.call('HSETNX', tag .. '/webhook/' .. owner, 'positions', positions)
