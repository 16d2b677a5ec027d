--- @include "tag"

-- The view of a user: {groups, hidden, state version, time of the last mark, state, changes}.
local function view(base)
  local key = tag .. '/' .. base
  local known = redis.call('HMGET', key, 'marks', 'marked', 'changes')
  return {
    redis.call('HGETALL', key .. '/groups'), redis.call('ZRANGE', key .. '/hidden', 0, -1),
    known[1] or 0, known[2] or 0, redis.call('HGETALL', key .. '/state'), known[3] or 0,
  }
end
