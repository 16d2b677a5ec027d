-- The numbers that an entry has taken: the last one is its id, and one with positions has one for each of them.
local function numbers_of(entry)
  local last = tonumber(string.match(entry[1], '^%d+'))
  local span = entry[2][8]
  if not span then return last, last end
  local after, up_to = string.match(span, ' (%d+) (%d+)$')
  return last - (up_to - after) + 1, last
end
