--- @include "expire"

local EXPIRED_PER_CALL = 200

-- Remove expired entries, but not so many that other calls wait. Returns the positions that have expired and are
-- still in the log.
local function expire_before_counting(base)
  if expire(base, EXPIRED_PER_CALL) < EXPIRED_PER_CALL then return {} end
  return redis.call('ZRANGE', tag .. '/' .. base .. '/expiring', '-inf', now_ms(), 'BYSCORE')
end
