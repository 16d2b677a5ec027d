--[[
  Drop the member list of a deleted group, or in a day where a send with an earlier cut may still need it.

  KEYS[1]  hash tag of the partition
  ARGV[1]  base of the group's log
  ARGV[2]  the list, as disband.lua named it

  Returns 1, or 0 when there is no such list.
]]

--- @include "tag"

local base, former = unpack(ARGV)
if redis.call('ZSCORE', tag .. '/' .. base .. '/deleted', former) then
  return redis.call('PEXPIRE', tag .. '/' .. former, 24 * 3600000)
end
return redis.call('UNLINK', tag .. '/' .. former)
