--[[
  Store the plan of a compound notification: the users whom it reaches. A plan is made once; a second dispatcher gets
  the status instead.

  KEYS[1]  hash tag of the partition
  ARGV[1]  record
  ARGV[2]  list with the users that were pushed before, or ''
  ARGV[3]  number of users
  ARGV[4]  packed users that follow those of the list

  Returns 'new' when it stored the plan, else the status of the record: 'x' there is a plan, 's' the plan has no users,
  'c' or 'r' the notification was recalled, '' there is no record.
  Raises PLAN when the users are not as many as they should be: a push was repeated, or the list has expired.
]]

--- @include "tag"
--- @include "now_ms"
--- @include "record_accepted"
--- @include "record_header"
--- @include "record_status"
--- @include "stored_event"

local record, pushed, count, users = tag .. '/' .. ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local status = record_status(record)
if status ~= 'a' then
  if pushed ~= '' then redis.call('DEL', tag .. '/' .. pushed) end
  return status
end
local plan = record .. '/plan'
local accepted = record_accepted(record)
if count == 0 then
  redis.call('SETRANGE', record, 0, record_header('s', accepted, now_ms(), 0, 0))
  local tenant, id = string.match(ARGV[1], '^n/([^/]+)/(.+)$')
  stored_event(tenant, id, '', 0)
  return 's'
end
users = cmsgpack.unpack(users)
local found = #users + (pushed ~= '' and redis.call('LLEN', tag .. '/' .. pushed) or 0)
if found ~= count then return redis.error_reply('PLAN has ' .. found .. ' users instead of ' .. count) end
redis.call('DEL', plan)
if pushed ~= '' then redis.call('RENAME', tag .. '/' .. pushed, plan) end
for _, user in ipairs(users) do redis.call('RPUSH', plan, user) end
local life = redis.call('PTTL', record)
if life > 0 then redis.call('PEXPIRE', plan, life) end
redis.call('SETRANGE', record, 0, record_header('x', accepted, 0, 0, count))
return 'new'
