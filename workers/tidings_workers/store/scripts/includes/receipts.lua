--- @include "own_receipts"
--- @include "tree_sum"

-- The receipts {delivered, seen, read} of one position of a log, as numbers of users; in the log of a topic, delivered
-- is a number of connections.
local function receipts(base, position)
  if string.sub(base, 1, 2) == 'u/' then return own_receipts(base, position) end
  if string.sub(base, 1, 2) == 't/' then
    return { tonumber(redis.call('HGET', tag .. '/' .. base .. '/acknowledged', position) or '0'), 0, 0 }
  end
  return {
    tree_sum(base, 'delivered', position), tree_sum(base, 'seen', position), tree_sum(base, 'read', position),
  }
end
