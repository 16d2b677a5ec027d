--[[
  Read the clocks of groups (see last_cut.lua), for a send to these groups. The script notes that they were read, so
  that a group keeps only those leavers whom a send may still reach.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed bases of the groups' logs

  Returns the clock of each group as text, '0' for a group that never had members.
]]

--- @include "tag"
--- @include "now_us"

-- A cut that has not changed is noted once in this time: last_cut.lua allows for it.
local NOTED_US = 3600000000

local now = now_us()
local answer = {}
for i, base in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key = tag .. '/' .. base
  local clock, cut, cut_at = unpack(redis.call('HMGET', key, 'joined', 'cut', 'cut_at'))
  if clock and (clock ~= cut or tonumber(cut_at) + NOTED_US < now) then
    redis.call('HSET', key, 'cut', clock, 'cut_at', now)
  end
  answer[i] = clock or '0'
end
return answer
