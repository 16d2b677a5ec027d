--[[
  Keep the token of a new ticket for a short time. A user has a limited number of tickets: the oldest is removed.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 owner   tenant and user, with a slash between them
    2 digest  of the ticket
    3 token
    4 life    of the ticket in ms
    5 limit   of tickets per user

  Returns 1 for a new ticket, 0 when it exists: the call was repeated.
]]

--- @include "tag"

local owner, digest, token, life, limit = unpack(cmsgpack.unpack(ARGV[1]))
local tickets = tag .. '/tickets/' .. owner
if not redis.call('SET', tag .. '/ticket/' .. digest, token, 'PX', life, 'NX') then return 0 end
redis.call('RPUSH', tickets, digest)
if redis.call('LLEN', tickets) > limit then
  redis.call('DEL', tag .. '/ticket/' .. redis.call('LINDEX', tickets, 0))
  redis.call('LTRIM', tickets, 1, -1)
end
redis.call('PEXPIRE', tickets, life)
return 1
