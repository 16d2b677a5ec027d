--- @include "decimal"

-- The categories of a log that a filter selects: an exact name, or a prefix that ends in a dot.
local function categories_of(key, filter)
  if string.sub(filter, -1) ~= '.' then return { filter } end
  return redis.call('ZRANGE', key .. '/categories', '[' .. filter, '(' .. string.sub(filter, 1, -2) .. '/', 'BYLEX')
end

-- The positions after < p <= up_to of these categories, in order, at most `limit`.
local function positions_in(key, categories, after, up_to, limit, newest_first)
  local above = '(' .. decimal(after)
  local positions = {}
  for _, category in ipairs(categories) do
    local found
    if newest_first then
      found = redis.call('ZRANGE', key .. '/in/' .. category, up_to, above, 'BYSCORE', 'REV', 'LIMIT', 0, limit)
    else
      found = redis.call('ZRANGE', key .. '/in/' .. category, above, up_to, 'BYSCORE', 'LIMIT', 0, limit)
    end
    for _, position in ipairs(found) do positions[#positions + 1] = tonumber(position) end
  end
  if #categories > 1 then
    table.sort(positions, newest_first and function(a, b) return a > b end or nil)
    for i = limit + 1, #positions do positions[i] = nil end
  end
  return positions
end
