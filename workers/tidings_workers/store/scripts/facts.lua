-- Shared by the scripts that give a gateway a log's facts: {head, floor, holes, changes, expiring, retired}.
-- `expiring`: position and time in turn, of what ends by itself next, or has ended just now. A thousand at most: of
-- what ends later a gateway hears when it is taken out.
local function facts(base)
  local key = tag .. '/' .. base
  expire_some(base)
  local known = redis.call('HMGET', key, 'head', 'floor', 'changes', 'retired')
  return {
    known[1] or 0, known[2] or 0,
    redis.call('ZRANGE', key .. '/holes', '(' .. (known[2] or 0), '+inf', 'BYSCORE'), known[3] or 0,
    redis.call('ZRANGE', key .. '/expiring', 0, 999, 'WITHSCORES'), known[4] or 0,
  }
end
