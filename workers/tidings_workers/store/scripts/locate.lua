--[[
  Read where notifications are.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed {tenant, id} of each; their records are in this partition

  Returns for each {status, position, target as JSON, expires_at or ''} (see record_header.lua), or false when there is
  no record.
]]

--- @include "record_text"

local answer = {}
for i, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local record = record_text(unpack(item))
  if record then
    local target_end = string.find(record, '\n', 54, true) - 1
    answer[i] = {
      string.sub(record, 1, 1), string.sub(record, 28, 43), string.sub(record, 54, target_end),
      -- The server writes this field last, so no field of the sender can be mistaken for it.
      string.match(record, '"expires_at":"([^"]+)"}$') or '',
    }
  else
    answer[i] = false
  end
end
return answer
