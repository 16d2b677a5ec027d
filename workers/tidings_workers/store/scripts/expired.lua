--[[
  List the entries that expired at some positions of a log.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 base       of the log
    2 positions  a set, as boundaries (see contains.lua)

  Returns "position|ms|category" for each, with the time at which it was accepted.
]]

--- @include "tag"
--- @include "decimal"

local base, positions = unpack(cmsgpack.unpack(ARGV[1]))
local holes = tag .. '/' .. base .. '/holes'
local answer = {}
for i = 1, #positions, 2 do
  local low, high = '(' .. decimal(positions[i]), positions[i + 1]
  for _, hole in ipairs(redis.call('ZRANGE', holes, low, high, 'BYSCORE')) do
    -- Holes of other causes are bare positions.
    if string.find(hole, '|', 1, true) then answer[#answer + 1] = hole end
  end
end
return answer
