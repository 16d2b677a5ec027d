--[[
  Delete a group. Its log and head stay, because its members keep the entries that they got, and positions are never
  used again. The dispatcher ends the memberships. A call may be repeated.

  KEYS[1]  hash tag of the partition
  ARGV[1]  base of the group's log
  ARGV[2]  tenant
  ARGV[3]  group

  Returns 1, or 0 when there is no such group.
]]

--- @include "tag"
--- @include "decimal"
--- @include "now_us"
--- @include "last_cut"
--- @include "keep_departed"
--- @include "add_to_ingress"
--- @include "publish"

local base, tenant, group = unpack(ARGV)
local key = tag .. '/' .. base
if redis.call('HDEL', key, 'created') == 0 then return 0 end
redis.call('ZREM', tag .. '/groups/' .. tenant, group)
local head = tonumber(redis.call('HGET', key, 'head') or '0')
local members = key .. '/members'
local first_joined = redis.call('ZRANGE', members, 0, 0, 'WITHSCORES')[2]
if first_joined then
  local now = now_us()
  local clock = math.max(now, tonumber(redis.call('HGET', key, 'joined') or '0') + 1)
  redis.call('HSET', key, 'joined', decimal(clock))
  local former = base .. '/gone/' .. decimal(clock)
  redis.call('RENAME', members, tag .. '/' .. former)
  -- For sends with an earlier cut. forget.lua keeps the list for a day then.
  local deleted = key .. '/deleted'
  redis.call('ZREMRANGEBYSCORE', deleted, '-inf', now - DAY_US)
  if tonumber(first_joined) <= last_cut(key, now) then redis.call('ZADD', deleted, decimal(clock), former) end
  redis.call('PEXPIRE', deleted, DAY_US / 1000)
  add_to_ingress({ { 'd', tenant, group, head, former } })
  publish(base, { 'd', base, head, {}, clock })
  keep_departed(key, {}, head, clock)
  write_feeds()
end
return 1
