-- A gateway holds connections of these logs from now on. ARGV[1]: packed {gateway, bases}.
-- Interest first, then the facts: what comes after is in the feed. Answers the facts per base.

--- @include "tag"
--- @include "facts"

local request = cmsgpack.unpack(ARGV[1])
local answer = {}
for i, base in ipairs(request[2]) do
  redis.call('SADD', tag .. '/' .. base .. '/gateways', request[1])
  answer[i] = facts(base)
end
write_feeds()
return answer
