-- Who of a user is connected. ARGV: user's base. Answers {seen, open, lost}; see connections.lua.

--- @include "tag"
--- @include "connections"

local open, lost = connections(ARGV[1])
return { redis.call('HGET', tag .. '/' .. ARGV[1], 'seen') or 0, open, lost }
