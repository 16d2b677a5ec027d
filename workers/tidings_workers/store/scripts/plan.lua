-- Freeze who gets a compound notification. ARGV: record key, plan part key or '', count, packed users (the last part, or all of them).
-- A plan is made once: a second dispatcher finds it. One with a user too many or too few (a repeated
-- push, a part that died) is refused. Answers 'new' when it is now made, else
-- the status: 'x' one stands already, 's' nobody is in it, 'c', 'r' recalled meanwhile, '' no record.

--- @include "tag"
--- @include "now_ms"
--- @include "record_header"

local record = tag .. '/' .. ARGV[1]
local status = redis.call('GETRANGE', record, 0, 0)
if status ~= 'a' then
  if ARGV[2] ~= '' then redis.call('DEL', tag .. '/' .. ARGV[2]) end
  return status
end
local plan = record .. '/plan'
local accepted = tonumber(redis.call('GETRANGE', record, 1, 13))
local count = tonumber(ARGV[3])
if count == 0 then
  redis.call('SETRANGE', record, 0, record_header('s', accepted, now_ms(), 0, 0))
  return 's'
end
local last = cmsgpack.unpack(ARGV[4])
local pushed = ARGV[2] ~= '' and redis.call('LLEN', tag .. '/' .. ARGV[2]) or 0
if pushed + #last ~= count then
  return redis.error_reply('PLAN has ' .. (pushed + #last) .. ' users instead of ' .. count)
end
redis.call('DEL', plan)
if ARGV[2] ~= '' then redis.call('RENAME', tag .. '/' .. ARGV[2], plan) end
for _, user in ipairs(last) do redis.call('RPUSH', plan, user) end
local life = redis.call('PTTL', record)
if life > 0 then redis.call('PEXPIRE', plan, life) end
redis.call('SETRANGE', record, 0, record_header('x', accepted, 0, 0, count))
return 'new'
