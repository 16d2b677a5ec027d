-- Read parts of logs. ARGV[1]: packed {{base, positions, limit, newest first, category or ''}}; positions
-- are boundaries as in intervals.py. Answers per part {head, floor, entries}.

--- @include "decimal"
--- @include "categories"

local answer = {}
for i, part in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key = KEYS[1] .. '/' .. part[1]
  local bounds, limit, newest_first, category = part[2], part[3], part[4], part[5]
  local facts = redis.call('HMGET', key, 'head', 'floor')
  local categories = category ~= '' and categories_of(key, category)
  local entries = {}
  local first, last, step = 1, #bounds - 1, 2
  if newest_first then first, last, step = #bounds - 1, 1, -2 end
  for at = first, last, step do
    local left = limit - #entries
    if left <= 0 then break end
    local after, up_to = bounds[at], bounds[at + 1]
    if categories then
      for _, position in ipairs(positions_in(key, categories, after, up_to, left, newest_first)) do
        local id = string.format('%.0f', position)
        entries[#entries + 1] = redis.call('XRANGE', key .. '/log', id, id)[1]
      end
    else
      local low, high = string.format('%.0f', after + 1), string.format('%.0f', up_to)
      local found
      if newest_first then
        found = redis.call('XREVRANGE', key .. '/log', high, low, 'COUNT', left)
      else
        found = redis.call('XRANGE', key .. '/log', low, high, 'COUNT', left)
      end
      for _, entry in ipairs(found) do entries[#entries + 1] = entry end
    end
  end
  answer[i] = { facts[1] or 0, facts[2] or 0, entries }
end
return answer
