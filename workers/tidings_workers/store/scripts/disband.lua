-- Delete a group. ARGV: base, tenant, group. Its log and head stay, for its members keep what they
-- got and positions are never used again; its members go to the dispatcher. Idempotent.
local key = tag .. '/' .. ARGV[1]
if redis.call('HDEL', key, 'created') == 0 then return 0 end
redis.call('ZREM', tag .. '/groups/' .. ARGV[2], ARGV[3])
local head = tonumber(redis.call('HGET', key, 'head') or '0')
local members = key .. '/members'
local count = redis.call('ZCARD', members)
if count > 0 then
  local time = redis.call('TIME')
  local gone = ARGV[1] .. '/gone/' .. time[1] .. time[2]
  redis.call('RENAME', members, tag .. '/' .. gone)
  ingest({ { 'd', ARGV[2], ARGV[3], head, gone } })
  route(ARGV[1], { 'd', ARGV[1], head, {} })
  flush()
end
return 1
