--[[
  Read how far a notification came with some users.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 id
    2 users  {base of the user's log, position} each; position 0 stands for that of the user's copy

  Returns per user {delivered, seen, read, seen at or '', read at or '', position, state as JSON or '', time and id of
  the used action or ''}.
]]

--- @include "tag"
--- @include "decimal"
--- @include "own_receipts"

local id, users = unpack(cmsgpack.unpack(ARGV[1]))

local function progress_of(base, position)
  local key = tag .. '/' .. base
  -- The receipts of an entry that was removed.
  local kept = redis.call('HGET', key .. '/ended', id)
  if position == 0 then position = tonumber(redis.call('ZSCORE', key .. '/copies', id) or '0') end
  if position == 0 then
    local counts = kept and cjson.decode(kept) or { 0, 0, 0 }
    return { counts[1], counts[2], counts[3], '', '', 0, '', counts[5] or '' }
  end
  local counts = kept and cjson.decode(kept) or own_receipts(base, position)
  local number = decimal(position)
  local times = redis.call('HMGET', key .. '/times/' .. base, 's' .. number, 'r' .. number, 'u' .. number)
  return {
    counts[1], counts[2], counts[3], times[1] or '', times[2] or '', position,
    redis.call('HGET', key .. '/state', base) or '', times[3] or '',
  }
end

local answer = {}
for i, row in ipairs(users) do answer[i] = progress_of(unpack(row)) end
return answer
