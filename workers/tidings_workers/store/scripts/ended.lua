-- What has ended by itself at these positions of a log. ARGV[1]: packed {base, positions}, boundaries as in
-- intervals.py. Answers "position|ms|category" each.
local request = cmsgpack.unpack(ARGV[1])
local holes = KEYS[1] .. '/' .. request[1] .. '/holes'
local answer = {}
for i = 1, #request[2], 2 do
  local low, high = '(' .. string.format('%.0f', request[2][i]), string.format('%.0f', request[2][i + 1])
  for _, member in ipairs(redis.call('ZRANGE', holes, low, high, 'BYSCORE')) do
    if string.find(member, '|', 1, true) then answer[#answer + 1] = member end
  end
end
return answer
