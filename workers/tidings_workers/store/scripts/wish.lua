--[[
  Note which types of events somebody wants, and return the union of all wishes of the tenant. The caller then writes it
  to every partition with set_wish.lua.

  KEYS[1]  hash tag of the partition of the tenant
  ARGV[1]  packed:
    1 tenant
    2 by       who wants them
    3 types
    4 life     ms until this wish ends, 0 for never; then it replaces the earlier one of the same name, and with a life
               it adds to it
    5 most     of names per tenant that begin with 'consumer/'

  Returns {version, Unix ms at which the last wish ends or 0, types ...}, or {} when there are too many names.
]]

--- @include "tag"
--- @include "now_us"
--- @include "decimal"

local tenant, by, types, life, most = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/wishes/' .. tenant
local time = now_us()
local now = math.floor(time / 1000)

-- Each field is "<type> <name>"; its value is when the wish ends.
local names, count, known = {}, 0, redis.call('HGETALL', key)
local ends = {}
for i = 1, #known, 2 do
  local field, at = known[i], tonumber(known[i + 1])
  local name = string.match(field, ' (.+)$')
  if field == 'version' then
    time = math.max(time, at + 1)
  elseif (at > 0 and at < now) or (life == 0 and name == by) then
    redis.call('HDEL', key, field)
  else
    ends[field] = at
    if not names[name] and string.sub(name, 1, 9) == 'consumer/' then
      names[name] = true
      count = count + 1
    end
  end
end
if string.sub(by, 1, 9) == 'consumer/' and not names[by] and count >= most then return {} end
for _, type in ipairs(types) do
  local field = type .. ' ' .. by
  ends[field] = life > 0 and now + life or 0
  redis.call('HSET', key, field, decimal(ends[field]))
end
redis.call('HSET', key, 'version', decimal(time))

local wanted, last, answer = {}, 1, {}
for field, at in pairs(ends) do
  local type = string.match(field, '^%S+')
  if not wanted[type] then
    wanted[type] = true
    answer[#answer + 1] = type
  end
  if at == 0 then last = 0 elseif last > 0 then last = math.max(last, at) end
end
table.sort(answer)
return { decimal(time), decimal(last), unpack(answer) }
