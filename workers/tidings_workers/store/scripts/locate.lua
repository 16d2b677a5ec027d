-- Where are these notifications? ARGV[1]: packed {{tenant, id}, ...}, their records in this partition. Answers
-- per id {status, position, target, expires_at or ''}, or false when there is none.
local answer = {}
for i, item in ipairs(cmsgpack.unpack(ARGV[1])) do
  local record = redis.call('GET', KEYS[1] .. '/n/' .. item[1] .. '/' .. item[2])
  if record then
    local ends = string.find(record, '\n', 54, true)
    answer[i] = {
      string.sub(record, 1, 1), string.sub(record, 28, 43), string.sub(record, 54, ends - 1),
      -- The last field that the server writes, so nothing of the sender's can be taken for it.
      string.match(record, '"expires_at":"([^"]+)"}$') or '',
    }
  else
    answer[i] = false
  end
end
return answer
