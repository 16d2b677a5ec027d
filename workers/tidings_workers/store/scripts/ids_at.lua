--[[
  Read the ids of notifications at positions of logs.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed items:
    1 base   of the log
    2 after
    3 up_to
    4 user   who must not be excluded

  Returns per item {position, id, position, id ...}.
]]

--- @include "tag"
--- @include "entry_id"
--- @include "value_of"

local answer = {}
for i, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local base, after, up_to, user = unpack(item)
  local found = {}
  for _, entry in ipairs(redis.call('XRANGE', tag .. '/' .. base .. '/log', after + 1, up_to)) do
    local fields = entry[2]
    if not string.find(',' .. value_of(fields, 'e') .. ',', ',' .. user .. ',', 1, true) then
      found[#found + 1] = tonumber(string.match(entry[1], '^%d+'))
      found[#found + 1] = entry_id(fields)
    end
  end
  answer[i] = found
end
return answer
