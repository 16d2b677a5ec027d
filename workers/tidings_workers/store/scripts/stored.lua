-- A notification is stored for everybody. ARGV: record key. A recall meanwhile wins.
local record = tag .. '/' .. ARGV[1]
if redis.call('GETRANGE', record, 0, 0) == 'x' then
  redis.call('SETRANGE', record, 0, 's')
  redis.call('SETRANGE', record, 14, string.format('%013.0f', now_ms()))
end
return redis.call('DEL', record .. '/progress')
