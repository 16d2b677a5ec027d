--[[
  Read the rosters of groups: their members at a cut of each one's clock (see last_cut.lua).

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 limit   of members, and of leavers
    2 groups  {base of the group's log, cut} each

  Returns per group its users, some of them possibly twice, or 0 when it has too many, or was deleted since.
]]

--- @include "tag"
--- @include "decimal"

local limit, groups = unpack(cmsgpack.unpack(ARGV[1]))

local function roster(key, cut)
  local number = decimal(cut)
  local users = redis.call('ZRANGE', key .. '/members', '-inf', number, 'BYSCORE', 'LIMIT', 0, limit)
  local leavers = redis.call('ZRANGE', key .. '/left', '(' .. number, '+inf', 'BYSCORE', 'LIMIT', 0, limit)
  if #users == limit or #leavers == limit then return 0 end
  if redis.call('ZCOUNT', key .. '/deleted', '(' .. number, '+inf') > 0 then return 0 end
  local packed = #leavers > 0 and redis.call('HMGET', key .. '/stays', unpack(leavers)) or {}
  for i, user in ipairs(leavers) do
    for _, stay in ipairs(packed[i] and cmsgpack.unpack(packed[i]) or {}) do
      local joined, left = unpack(stay)
      if joined <= cut and cut < left then
        users[#users + 1] = user
        break
      end
    end
  end
  return users
end

local answer = {}
for i, group in ipairs(groups) do
  local base, cut = unpack(group)
  answer[i] = roster(tag .. '/' .. base, cut)
end
return answer
