--[[
  Replace states of a user by shorter forms of the same. A state that changed in between stays.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 base    of the user's log
    2 states  {base of a log, state as JSON, its new form} each

  Returns the number of states that were replaced.
]]

--- @include "tag"

local base, states = unpack(cmsgpack.unpack(ARGV[1]))
local key, count = tag .. '/' .. base .. '/state', 0
for _, state in ipairs(states) do
  local log, before, after = unpack(state)
  if redis.call('HGET', key, log) == before then
    redis.call('HSET', key, log, after)
    count = count + 1
  end
end
return count
