--- @include "tag"
--- @include "decimal"

-- The next number of this partition's ingress, as text: the time in microseconds, but always above the last number.
-- Because it follows the clock, it stays above every applied mark even when a crash lost the last second of writes.
local function next_ingress_number()
  local time = redis.call('TIME')
  local number = time[1] * 1000000 + time[2]
  local last = tonumber(redis.call('HGET', tag .. '/partition', 'ingress') or '0')
  if number <= last then number = last + 1 end
  local text = decimal(number)
  redis.call('HSET', tag .. '/partition', 'ingress', text)
  return text
end
