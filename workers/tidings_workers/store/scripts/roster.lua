-- Who was in groups at a cut of each one's clock (see last_cut.lua). ARGV[1]: packed {limit, {{base, cut}, ...}}.
-- Answers per group the users, some of them twice perhaps, or 0 where one of its lists is longer than the limit.
local request = cmsgpack.unpack(ARGV[1])
local limit = request[1]

local function roster(key, cut)
  local users = redis.call('ZRANGE', key .. '/members', '-inf', cut, 'BYSCORE', 'LIMIT', 0, limit)
  local left = redis.call('ZRANGE', key .. '/left', '(' .. cut, '+inf', 'BYSCORE', 'LIMIT', 0, limit)
  if #users == limit or #left == limit then return 0 end
  if redis.call('ZCOUNT', key .. '/deleted', '(' .. cut, '+inf') > 0 then return 0 end
  local at = tonumber(cut)
  local packed = #left > 0 and redis.call('HMGET', key .. '/stays', unpack(left)) or {}
  for i, user in ipairs(left) do
    for _, stay in ipairs(packed[i] and cmsgpack.unpack(packed[i]) or {}) do
      if stay[1] <= at and at < stay[2] then
        users[#users + 1] = user
        break
      end
    end
  end
  return users
end

local answer = {}
for i, group in ipairs(request[2]) do
  answer[i] = roster(KEYS[1] .. '/' .. group[1], string.format('%.0f', group[2]))
end
return answer
