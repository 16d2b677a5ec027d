--- @include "decimal"

-- The departures of the last hour, the last 1,000. A gateway reads them when it begins to follow the group's log: the
-- users' own data may lack them while no dispatcher works.
local KEPT_DEPARTED = 1000
local DEPARTED_US = 3600000000

-- Keep that these users left the group at a position, at this number of its clock; an empty list means all members.
local function keep_departed(key, users, position, clock)
  local departed = key .. '/departed'
  local number, prefix = decimal(clock), decimal(position) .. ':'
  for _, user in ipairs(#users > 0 and users or { '' }) do
    redis.call('ZADD', departed, number, prefix .. user)
  end
  redis.call('ZREMRANGEBYSCORE', departed, '-inf', decimal(clock - DEPARTED_US))
  redis.call('ZREMRANGEBYRANK', departed, 0, -KEPT_DEPARTED - 1)
  redis.call('PEXPIRE', departed, DEPARTED_US / 1000)
end
