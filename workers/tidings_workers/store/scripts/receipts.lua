--[[
  Read the receipts of notifications. Those of a notification that was removed from its log are the last ones that it
  had.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed items:
    1 record
    2 base      of its log, '' for a compound notification
    3 position  in its log, or 0

  Returns {delivered, seen, read, {action, number, ...}} of each, as numbers of users.
]]

--- @include "tag"
--- @include "actions_used"
--- @include "receipts"

local answer = {}
for i, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local record, base, position = unpack(item)
  local kept, counts, actions = redis.call('HGETALL', tag .. '/' .. record .. '/receipts'), nil, {}
  if #kept > 0 or base == '' or position == 0 then
    local by_kind = { delivered = 0, seen = 0, read = 0 }
    for place = 1, #kept, 2 do
      local action = string.match(kept[place], '^action:(.*)$')
      if action then
        actions[#actions + 1], actions[#actions + 2] = action, kept[place + 1]
      else
        by_kind[kept[place]] = kept[place + 1]
      end
    end
    counts = { by_kind.delivered, by_kind.seen, by_kind.read }
  else
    counts = receipts(base, position)
    for action, count in pairs(actions_used(base, position)) do
      actions[#actions + 1], actions[#actions + 2] = action, count
    end
  end
  counts[4] = actions
  answer[i] = counts
end
return answer
