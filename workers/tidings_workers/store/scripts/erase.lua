-- Erase what a user's slot knows, but for what `erase_log` takes away bit by bit: from now on nobody sees any
-- of it. ARGV[1]: packed {user's base, how much more has changed}. Positions go on behind the head, and so
-- do the versions. Answers {1, devices}, or {0} when the last erasure is not at its end yet.

--- @include "tag"
--- @include "publish_change"

local request = cmsgpack.unpack(ARGV[1])
local base = request[1]
local key = tag .. '/' .. base
if redis.call('EXISTS', key .. '/erased', key .. '/erased-ids') > 0 then return { 0 } end
local head = redis.call('HGET', key, 'head') or '0'
if redis.call('EXISTS', key .. '/log') == 1 then redis.call('RENAME', key .. '/log', key .. '/erased') end
if redis.call('EXISTS', key .. '/ended') == 1 then
  redis.call('RENAME', key .. '/ended', key .. '/erased-ids')
end
local devices = redis.call('HLEN', key .. '/devices')
redis.call('HSET', key, 'floor', head, 'trimmed', head)
redis.call('HINCRBY', key, 'marks', 1)
redis.call('HINCRBY', key, 'changes', request[2])
redis.call('HDEL', key, 'seen', 'marked')
for _, part in ipairs({ 'state', 'marks', 'delivered', 'devices', 'groups' }) do
  redis.call('UNLINK', key .. '/' .. part)
end
publish_change(base, { 'e', base, tonumber(head) })
write_feeds()
return { 1, devices }
