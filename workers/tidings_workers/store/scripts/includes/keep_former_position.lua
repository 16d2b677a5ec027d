--- @include "tag"

local FORMER_POSITIONS = 1000
local FORMER_POSITIONS_MS = 24 * 3600000

-- Remove the copy with the lowest id, which is that of the oldest notification. Copies with position 0 are in the order
-- of their ids, and the others nearly so, so it is the first of either.
local function remove_oldest(parted)
  local never_made = redis.call('ZRANGE', parted, 0, 0, 'BYSCORE', 'LIMIT', 0, 1)[1]
  local made = redis.call('ZRANGE', parted, '(0', '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
  local oldest = made
  if never_made and (not made or never_made < made) then oldest = never_made end
  redis.call('ZREM', parted, oldest)
end

-- Keep the position that a user's copy had before it was removed; 0 for a copy that was never made. Marks that wait in
-- an ingress need it, and so do calls that would make the copy again. All are kept until a day after the last one.
local function keep_former_position(base, position, id)
  local parted = tag .. '/' .. base .. '/parted'
  redis.call('ZADD', parted, position, id)
  if redis.call('ZCARD', parted) > FORMER_POSITIONS then remove_oldest(parted) end
  redis.call('PEXPIRE', parted, FORMER_POSITIONS_MS)
end
