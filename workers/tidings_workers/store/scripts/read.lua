-- Read parts of logs. ARGV[1]: packed {{base, after, up to, count, newest first}}; up to is included.
-- Answers per part {head, floor, entries}.
local answer = {}
for i, part in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key = KEYS[1] .. '/' .. part[1]
  local facts = redis.call('HMGET', key, 'head', 'floor')
  local first, last = string.format('%.0f', part[2] + 1), string.format('%.0f', part[3])
  local entries = {}
  if part[3] > part[2] then
    if part[5] then
      entries = redis.call('XREVRANGE', key .. '/log', last, first, 'COUNT', part[4])
    else
      entries = redis.call('XRANGE', key .. '/log', first, last, 'COUNT', part[4])
    end
  end
  answer[i] = { facts[1] or 0, facts[2] or 0, entries }
end
return answer
