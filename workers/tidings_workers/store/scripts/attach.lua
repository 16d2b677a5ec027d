-- A connection of a user opens. ARGV: base, gateway, device or '', packed arrival or '' (see sessions.lua).
-- Like watch, and what only the user's slot knows. Answers {facts, view, device, admitted}.
local key = tag .. '/' .. ARGV[1]
redis.call('SADD', key .. '/gateways', ARGV[2])
local admitted = 1
if ARGV[4] ~= '' then admitted = enter(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) end
local device = false
if ARGV[3] ~= '' then device = redis.call('HGET', key .. '/devices', ARGV[3]) end
local answer = { facts(ARGV[1]), view(ARGV[1]), device, admitted }
flush()
return answer
