--- @include "decimal"
--- @include "numbers_of"

-- The numbers first to last of an entry as an event: {first, last, type, data, Unix ms, log and positions or ''}.
local function event_part(entry, first, last)
  local fields = entry[2]
  local span = fields[8] or ''
  if span ~= '' then
    local base, after = string.match(span, '^(.+) (%d+) %d+$')
    local offset = tonumber(after) - numbers_of(entry)
    span = base .. ' ' .. decimal(offset + first) .. ' ' .. decimal(offset + last + 1)
  end
  return { first, last, fields[2], fields[4], fields[6], span }
end
