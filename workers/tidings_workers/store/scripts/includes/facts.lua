--- @include "tag"
--- @include "expire_before_counting"

-- The facts of a log as a gateway needs them: {head, floor, holes, changes, expiring, retired}.
--   expiring  alternating position and expiry time (ms) of the next 1,000 entries to expire; feeds report later ones
--             when they are removed
local function facts(base)
  local key = tag .. '/' .. base
  expire_before_counting(base)
  local known = redis.call('HMGET', key, 'head', 'floor', 'changes', 'retired')
  return {
    known[1] or 0, known[2] or 0,
    redis.call('ZRANGE', key .. '/holes', '(' .. (known[2] or 0), '+inf', 'BYSCORE'), known[3] or 0,
    redis.call('ZRANGE', key .. '/expiring', 0, 999, 'WITHSCORES'), known[4] or 0,
  }
end
