--- @include "tag"

-- Receipts of a log with many readers: one Fenwick tree per kind ('delivered', 'seen', 'read'), kept in a hash from
-- node to sum. Users are added for spans of positions, and their number is read for one position; both touch
-- log2(n) nodes. The field `n` is the size of the tree, a power of two.
local FIRST_TREE_SIZE = 1024

local function tree_key(base, kind) return tag .. '/' .. base .. '/receipts/' .. kind end

local function lowest_bit(node)
  local bit = 1
  while node % (bit * 2) == 0 do bit = bit * 2 end
  return bit
end
