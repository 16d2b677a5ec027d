-- Delete a group. ARGV: base, tenant, group. Its log and head stay, for its members keep what they
-- got and positions are never used again; its members go to the dispatcher. Idempotent.
local key = tag .. '/' .. ARGV[1]
if redis.call('HDEL', key, 'created') == 0 then return 0 end
redis.call('ZREM', tag .. '/groups/' .. ARGV[2], ARGV[3])
local head = tonumber(redis.call('HGET', key, 'head') or '0')
local members = key .. '/members'
local first = redis.call('ZRANGE', members, 0, 0, 'WITHSCORES')[2]
if first then
  local now = microseconds()
  local number = math.max(now, tonumber(redis.call('HGET', key, 'joined') or '0') + 1)
  redis.call('HSET', key, 'joined', number_of(number))
  local gone = ARGV[1] .. '/gone/' .. number_of(number)
  redis.call('RENAME', members, tag .. '/' .. gone)
  -- By the number of its end, for the sends that read the clock before: forget.lua keeps such a list for a day.
  local deleted = key .. '/deleted'
  redis.call('ZREMRANGEBYSCORE', deleted, '-inf', number_of(now - DAY))
  if tonumber(first) <= last_cut(key, now) then redis.call('ZADD', deleted, number_of(number), gone) end
  redis.call('PEXPIRE', deleted, DAY / 1000)
  ingest({ { 'd', ARGV[2], ARGV[3], head, gone } })
  route(ARGV[1], { 'd', ARGV[1], head, {} })
  flush()
end
return 1
