--[[
  Look how many numbers wait in this partition. A consumer that the store does not know begins with the first event that
  is kept.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 tenant
    2 consumer  or '' for a reader that has its own position
    3 kept      ms after which the store forgets a consumer that reads nothing

  Returns {last number, numbers that the consumer has not been given or has not acknowledged in time}.
]]

--- @include "tag"
--- @include "now_ms"
--- @include "decimal"
--- @include "numbers_of"

local tenant, consumer, kept = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/event-log/' .. tenant
local head = tonumber(redis.call('HGET', key .. '/facts', 'number') or '0')
if consumer == '' then return { head, 0 } end
local taken_key = key .. '/taken/' .. consumer
local taken = tonumber(redis.call('GET', taken_key) or '-1')
if taken == -1 then
  local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
  taken = first and numbers_of(first) - 1 or head
  redis.call('SET', taken_key, decimal(taken))
end
redis.call('PEXPIRE', taken_key, kept)
redis.call('PEXPIRE', key .. '/held/' .. consumer, kept)
return { head, math.max(head - taken, 0) + redis.call('ZCOUNT', key .. '/held/' .. consumer, '-inf', now_ms()) }
