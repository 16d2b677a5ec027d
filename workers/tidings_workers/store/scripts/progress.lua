-- How far a notification came with users of this partition. ARGV[1]: packed {id, {{base, position}, ...}};
-- a position of 0 is that of the user's copy. Answers per user {delivered, seen, read, seen since or '', read
-- since or '', position, state or ''}.

--- @include "tag"
--- @include "own_receipts"

local request = cmsgpack.unpack(ARGV[1])
local id = request[1]
local answer = {}
for i, item in ipairs(request[2]) do
  local base, position = item[1], item[2]
  local key = tag .. '/' .. base
  local ended = redis.call('HGET', key .. '/ended', id)
  if position == 0 then position = tonumber(redis.call('ZSCORE', key .. '/copies', id) or '0') end
  local counts = ended and cjson.decode(ended) or (position > 0 and own_receipts(base, position)) or { 0, 0, 0 }
  local times = { false, false }
  if position > 0 then
    local number = string.format('%.0f', position)
    times = redis.call('HMGET', key .. '/times/' .. base, 's' .. number, 'r' .. number)
  end
  answer[i] = {
    counts[1], counts[2], counts[3], times[1] or '', times[2] or '', position,
    position > 0 and redis.call('HGET', key .. '/state', base) or '',
  }
end
return answer
