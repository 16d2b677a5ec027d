--[[
  Take or renew the lease of a sink, and read or move its position in the events.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 owner      tenant and name, with a slash between them
    2 holder     the bridge that calls
    3 life       ms until the lease ends, 0 to end it now
    4 positions  the new positions as JSON, '' to keep them
    5 first      the positions of a sink that has none yet, '' for a bridge that does not begin

  Returns {1, positions}, or {0, ''} and changes nothing when another bridge has the lease.
]]

--- @include "tag"
--- @include "now_ms"
--- @include "decimal"

local owner, holder, life, positions, first = unpack(cmsgpack.unpack(ARGV[1]))
local key = tag .. '/sink/' .. owner
local other, ends, at = unpack(redis.call('HMGET', key, 'holder', 'ends', 'positions'))
local now = now_ms()
if other and other ~= holder and tonumber(ends) > now then return { 0, '' } end
-- A bridge whose lease another one had in between moves no position: it has to begin again.
if first == '' and other ~= holder then return { 0, '' } end
if positions ~= '' then at = positions elseif not at then at = first end
redis.call('HSET', key, 'holder', holder, 'ends', decimal(now + life), 'positions', at)
return { 1, at }
