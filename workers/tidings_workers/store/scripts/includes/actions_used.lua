--- @include "tag"
--- @include "decimal"

-- The actions that users used on the notification at one position of a log: id of the action -> number of users.
local function actions_used(base, position)
  local key, number = tag .. '/' .. base, decimal(position)
  if string.sub(base, 1, 2) == 'u/' then
    local used = redis.call('HGET', key .. '/times/' .. base, 'u' .. number)
    return used and { [string.match(used, '^%d+ (.*)$')] = 1 } or {}
  end
  local counts = redis.call('HGET', key .. '/used', number)
  return counts and cjson.decode(counts) or {}
end
