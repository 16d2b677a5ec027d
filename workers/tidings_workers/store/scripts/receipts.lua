-- The receipts of notifications. ARGV[1]: packed {{record, log's base or '', position}, ...}; the base of a
-- compound one is ''. Answers per notification {delivered, seen, read}. Those of one that was taken out of its
-- log are what they were then.

--- @include "tag"
--- @include "receipts"

local answer = {}
for i, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local kept = redis.call('HMGET', tag .. '/' .. item[1] .. '/receipts', 'delivered', 'seen', 'read')
  if kept[1] or kept[2] or kept[3] or item[2] == '' or item[3] == 0 then
    answer[i] = { kept[1] or 0, kept[2] or 0, kept[3] or 0 }
  else
    answer[i] = receipts(item[2], item[3])
  end
end
return answer
