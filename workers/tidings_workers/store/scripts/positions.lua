--[[
  List positions of a log by category.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 base      of the log
    2 category  a name, or a prefix that ends in a dot
    3 after     positions above this one
    4 up_to     and up to this one
    5 limit

  Returns the positions of entries that are in the log, in rising order.
]]

--- @include "tag"
--- @include "categories"

local base, category, after, up_to, limit = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/' .. base
return positions_in(key, categories_of(key, category), after, up_to, limit, false)
