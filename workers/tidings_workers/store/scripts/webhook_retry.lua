--[[
  Make a delivery of a webhook endpoint due now.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant and id, with a slash between them
  ARGV[2]  id of the delivery
  ARGV[3]  the time in ms

  Returns 'due', 'succeeded' for one whose body is not kept, or '' when there is none.
]]

--- @include "tag"

local owner, id, now = unpack(ARGV)
local pending = tag .. '/webhook-pending/' .. owner
if redis.call('ZREM', tag .. '/webhook-failed/' .. owner, id) == 1 or redis.call('ZSCORE', pending, id) then
  redis.call('ZADD', pending, now, id)
  return 'due'
end
return redis.call('ZSCORE', tag .. '/webhook-succeeded/' .. owner, id) and 'succeeded' or ''
