-- The live positions of a category in a log. ARGV[1]: packed {base, category, after, up to, limit}.
-- Answers them in rising order, `limit` at most.

--- @include "categories"

local request = cmsgpack.unpack(ARGV[1])
local key = KEYS[1] .. '/' .. request[1]
return positions_in(key, categories_of(key, request[2]), request[3], request[4], request[5], false)
