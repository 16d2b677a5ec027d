--- @include "tag"

local FORMER_POSITIONS = 1000
local FORMER_POSITIONS_MS = 24 * 3600000

-- Keep for a day the position that a user's copy had before it was removed; 0 for a copy that was never made. Marks
-- that wait in an ingress need it, and so do calls that would make the copy again.
local function keep_former_position(base, position, id)
  local parted = tag .. '/' .. base .. '/parted'
  redis.call('ZADD', parted, position, id)
  redis.call('ZREMRANGEBYRANK', parted, 0, -FORMER_POSITIONS - 1)
  redis.call('PEXPIRE', parted, FORMER_POSITIONS_MS)
end
