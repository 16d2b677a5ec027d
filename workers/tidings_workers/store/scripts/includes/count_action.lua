--- @include "tag"
--- @include "decimal"

-- Count users who used an action of the notification at one position of a log with many readers. An entry that was
-- removed keeps the receipts that it had.
local function count_action(base, action, position, count)
  local key, number = tag .. '/' .. base, decimal(position)
  if not redis.call('XRANGE', key .. '/log', number, number)[1] then return end
  local known = redis.call('HGET', key .. '/used', number)
  local counts = known and cjson.decode(known) or {}
  counts[action] = (counts[action] or 0) + count
  redis.call('HSET', key .. '/used', number, cjson.encode(counts))
end
