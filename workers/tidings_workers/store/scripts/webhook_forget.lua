--[[
  Remove the state of a webhook endpoint.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant and id, with a slash between them

  Returns how many keys there were.
]]

--- @include "tag"

local owner = ARGV[1]
return redis.call('DEL', tag .. '/webhook/' .. owner, tag .. '/webhook-pending/' .. owner,
  tag .. '/webhook-succeeded/' .. owner, tag .. '/webhook-failed/' .. owner, tag .. '/webhook-deliveries/' .. owner,
  tag .. '/webhook-bodies/' .. owner)
