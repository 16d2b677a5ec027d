--[[
  List the logs that are due for the retention sweep.

  KEYS[1]  hash tag of the partition
  ARGV[1]  now in Unix ms, 0 for the clock of the server
  ARGV[2]  most logs to list

  Returns their bases, the longest due first; `s/<tenant>` is the list of what the tenant has sent.
]]

--- @include "tag"
--- @include "now_ms"

local now, limit = tonumber(ARGV[1]), ARGV[2]
if now == 0 then now = now_ms() end
return redis.call('ZRANGE', tag .. '/due', '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)
