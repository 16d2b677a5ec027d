--- @include "receipt_tree"

-- The size of the tree, after it was doubled until it has room for a position. To double it, copy the root node to the
-- new root. All other nodes stay valid.
local function tree_size_for(key, position)
  local size = tonumber(redis.call('HGET', key, 'n') or FIRST_TREE_SIZE)
  while position > size do
    local root = redis.call('HGET', key, size)
    size = size * 2
    if root then redis.call('HSET', key, size, root) end
    redis.call('HSET', key, 'n', size)
  end
  return size
end

-- Add `count` users to every position of an interval set, less those of `fewer`: {{position, count}, ...}.
-- Sums of neighbours cancel out in the nodes above them, so each node is written once or not at all.
local function tree_add(base, kind, bounds, count, fewer)
  local key = tree_key(base, kind)
  local size = tree_size_for(key, bounds[#bounds] + 1)
  local sums = {}
  local function add_from(node, more)
    while node <= size do
      sums[node] = (sums[node] or 0) + more
      node = node + lowest_bit(node)
    end
  end
  for i = 1, #bounds, 2 do
    add_from(bounds[i] + 1, count)
    add_from(bounds[i + 1] + 1, -count)
  end
  for _, row in ipairs(fewer) do
    local position, users = unpack(row)
    add_from(position, -users)
    add_from(position + 1, users)
  end
  for node, sum in pairs(sums) do
    if sum ~= 0 then redis.call('HINCRBY', key, node, sum) end
  end
end
