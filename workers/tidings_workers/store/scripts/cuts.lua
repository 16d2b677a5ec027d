-- The clocks of groups: the number of the last joining or leaving (see members.lua). ARGV[1]: packed bases.
-- That they were read is noted (`cut`), so that a group keeps only leavers whom some send may reach.
local NOTED = 3600000000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer = {}
for i, base in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key = KEYS[1] .. '/' .. base
  local known = redis.call('HMGET', key, 'joined', 'cut', 'cut_at')
  local clock = known[1]
  if clock and (clock ~= known[2] or tonumber(known[3]) + NOTED < now) then
    redis.call('HSET', key, 'cut', clock, 'cut_at', string.format('%.0f', now))
  end
  answer[i] = clock or '0'
end
return answer
