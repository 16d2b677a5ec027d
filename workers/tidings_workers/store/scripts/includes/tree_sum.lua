--- @include "receipt_tree"

-- The number of users at one position.
local function tree_sum(base, kind, position)
  local key = tree_key(base, kind)
  -- Above the size of the tree there are only spans that ended below it.
  local size = tonumber(redis.call('HGET', key, 'n') or FIRST_TREE_SIZE)
  if position > size then position = size end
  local sum = 0
  while position > 0 do
    sum = sum + tonumber(redis.call('HGET', key, position) or '0')
    position = position - lowest_bit(position)
  end
  return sum
end
