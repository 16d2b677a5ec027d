-- A connection of a user opens. ARGV: base, gateway, device or '', packed arrival or '' (see sessions.lua).
-- Like watch, and what only the user's slot knows. Answers {head, floor, holes, changes, groups, hidden,
-- device, admitted}.
local key = KEYS[1] .. '/' .. ARGV[1]
redis.call('SADD', key .. '/gateways', ARGV[2])
local admitted = 1
if ARGV[4] ~= '' then admitted = enter(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) end
local facts = redis.call('HMGET', key, 'head', 'floor', 'changes')
local device = false
if ARGV[3] ~= '' then device = redis.call('HGET', key .. '/devices', ARGV[3]) end
flush()
return {
  facts[1] or 0, facts[2] or 0, holes(key), facts[3] or 0,
  redis.call('HGETALL', key .. '/groups'), redis.call('ZRANGE', key .. '/hidden', 0, -1), device, admitted,
}
