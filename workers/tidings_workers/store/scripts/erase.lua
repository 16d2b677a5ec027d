--[[
  Erase a user from this partition. Small keys are removed now; the log is renamed, and erase_log.lua removes it in
  parts. Positions and versions continue from where they were.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 base     of the user's log
    2 changes  to add to the log's changes, so that the counts version does not fall

  Returns {1, number of devices}, or {0} while the parts of an earlier erasure are not all removed.
]]

--- @include "tag"
--- @include "publish_change"

local base, changes = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/' .. base
if redis.call('EXISTS', key .. '/erased', key .. '/erased-ids') > 0 then return { 0 } end
local head = redis.call('HGET', key, 'head') or '0'
if redis.call('EXISTS', key .. '/log') == 1 then redis.call('RENAME', key .. '/log', key .. '/erased') end
if redis.call('EXISTS', key .. '/ended') == 1 then redis.call('RENAME', key .. '/ended', key .. '/erased-ids') end
local devices = redis.call('HLEN', key .. '/devices')
redis.call('HSET', key, 'floor', head, 'trimmed', head)
redis.call('HINCRBY', key, 'marks', 1)
redis.call('HINCRBY', key, 'changes', changes)
redis.call('HDEL', key, 'seen', 'marked')
redis.call('UNLINK', key .. '/state', key .. '/marks', key .. '/delivered', key .. '/devices', key .. '/groups',
  key .. '/snoozed')
redis.call('ZREM', tag .. '/returning', base)
publish_change(base, { 'e', base, tonumber(head) })
write_feeds()
return { 1, devices }
