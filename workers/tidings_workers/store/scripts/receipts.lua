--[[
  Read the receipts of notifications. Those of a notification that was removed from its log are the last ones that it
  had.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed items:
    1 record
    2 base      of its log, '' for a compound notification
    3 position  in its log, or 0

  Returns {delivered, seen, read} of each, as numbers of users.
]]

--- @include "tag"
--- @include "receipts"

local answer = {}
for i, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local record, base, position = unpack(item)
  local kept = redis.call('HMGET', tag .. '/' .. record .. '/receipts', 'delivered', 'seen', 'read')
  if kept[1] or kept[2] or kept[3] or base == '' or position == 0 then
    answer[i] = { kept[1] or 0, kept[2] or 0, kept[3] or 0 }
  else
    answer[i] = receipts(base, position)
  end
end
return answer
