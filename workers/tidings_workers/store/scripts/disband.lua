-- Delete a group. ARGV: base, tenant, group. Its log and head stay, for its members keep what they
-- got and positions are never used again; its members go to the dispatcher. Idempotent.

--- @include "tag"
--- @include "decimal"
--- @include "now_us"
--- @include "last_cut"
--- @include "add_to_ingress"
--- @include "publish"

local key = tag .. '/' .. ARGV[1]
if redis.call('HDEL', key, 'created') == 0 then return 0 end
redis.call('ZREM', tag .. '/groups/' .. ARGV[2], ARGV[3])
local head = tonumber(redis.call('HGET', key, 'head') or '0')
local members = key .. '/members'
local first = redis.call('ZRANGE', members, 0, 0, 'WITHSCORES')[2]
if first then
  local now = now_us()
  local number = math.max(now, tonumber(redis.call('HGET', key, 'joined') or '0') + 1)
  redis.call('HSET', key, 'joined', decimal(number))
  local gone = ARGV[1] .. '/gone/' .. decimal(number)
  redis.call('RENAME', members, tag .. '/' .. gone)
  -- By the number of its end, for the sends that read the clock before: forget.lua keeps such a list for a day.
  local deleted = key .. '/deleted'
  redis.call('ZREMRANGEBYSCORE', deleted, '-inf', decimal(now - DAY_US))
  if tonumber(first) <= last_cut(key, now) then redis.call('ZADD', deleted, decimal(number), gone) end
  redis.call('PEXPIRE', deleted, DAY_US / 1000)
  add_to_ingress({ { 'd', ARGV[2], ARGV[3], head, gone } })
  publish(ARGV[1], { 'd', ARGV[1], head, {} })
  write_feeds()
end
return 1
