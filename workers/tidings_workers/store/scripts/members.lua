--[[
  Change the members of a group; its first member creates it. The dispatcher carries out the users' side of the change.
  A call may be repeated.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 base    of the group's log
    2 tenant
    3 group
    4 add     users
    5 remove  users

  Returns {number of users added, number removed}.
]]

--- @include "tag"
--- @include "now_us"
--- @include "leavers"
--- @include "keep_departed"
--- @include "add_to_ingress"
--- @include "publish"

local base, tenant, group, add, remove = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/' .. base
local members = key .. '/members'
local head = tonumber(redis.call('HGET', key, 'head') or '0')
local now = now_us()
local clock = tonumber(redis.call('HGET', key, 'joined') or '0')
local added, removed = {}, {}

if #add > 0 and redis.call('HSETNX', key, 'created', math.floor(now / 1000)) == 1 then
  redis.call('ZADD', tag .. '/groups/' .. tenant, 0, group)
end
for _, user in ipairs(add) do
  local number = math.max(now, clock + 1)
  -- The score is the number of the joining: it is unique, and the cursor of the list of members.
  if redis.call('ZADD', members, 'NX', number, user) == 1 then
    added[#added + 1] = user
    clock = number
  end
end
local joined_at = clock
local cut = last_cut(key, now)
for _, user in ipairs(remove) do
  local joined = redis.call('ZSCORE', members, user)
  if joined then
    redis.call('ZREM', members, user)
    removed[#removed + 1] = user
    clock = math.max(now, clock + 1)
    if tonumber(joined) <= cut then keep_leaver(key, user, tonumber(joined), clock) end
  end
end
if #added + #removed > 0 then redis.call('HSET', key, 'joined', clock) end
if #removed > 0 then
  prune_leavers(key, now)
  keep_departed(key, removed, head, clock)
end

local operations = {}
if #added > 0 then operations[#operations + 1] = { 'm', tenant, group, true, head, added, joined_at } end
if #removed > 0 then operations[#operations + 1] = { 'm', tenant, group, false, head, removed, clock } end
add_to_ingress(operations)
-- Users' own feeds report it too, but only this feed has it in order with the next sends to the group.
if #removed > 0 then publish(base, { 'd', base, head, removed, clock }) end
write_feeds()
return { #added, #removed }
