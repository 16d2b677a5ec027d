--- @include "tag"

-- The view of a user: {groups, memberships, hidden, state version, time of the last mark, state, changes}.
--   groups       packed list of their names: two texts cost less than a thousand pairs
--   memberships  the packed intervals of each group, one after another
local function view(base)
  local key = tag .. '/' .. base
  local known = redis.call('HMGET', key, 'marks', 'marked', 'changes')
  local pairs_of_groups, names, memberships = redis.call('HGETALL', key .. '/groups'), {}, {}
  for i = 1, #pairs_of_groups, 2 do
    local at = (i + 1) / 2
    names[at], memberships[at] = pairs_of_groups[i], pairs_of_groups[i + 1]
  end
  return {
    cmsgpack.pack(names), table.concat(memberships), redis.call('ZRANGE', key .. '/hidden', 0, -1),
    known[1] or 0, known[2] or 0, redis.call('HGETALL', key .. '/state'), known[3] or 0,
  }
end
