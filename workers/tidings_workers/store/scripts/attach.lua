-- A connection of a user opens. ARGV: base, gateway, device or '', packed {id, limit, code} or ''
-- (see register_connection.lua).
-- Like watch, and what only the user's slot knows. Answers {facts, view, device, admitted}.

--- @include "tag"
--- @include "facts"
--- @include "view"
--- @include "register_connection"

local key = tag .. '/' .. ARGV[1]
redis.call('SADD', key .. '/gateways', ARGV[2])
local admitted = 1
if ARGV[4] ~= '' then
  admitted = register_connection(ARGV[1], ARGV[2], ARGV[3], unpack(cmsgpack.unpack(ARGV[4])))
end
local device = false
if ARGV[3] ~= '' then device = redis.call('HGET', key .. '/devices', ARGV[3]) end
local answer = { facts(ARGV[1]), view(ARGV[1]), device, admitted }
write_feeds()
return answer
