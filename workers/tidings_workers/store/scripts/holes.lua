-- Shared by the scripts that answer a log's facts: the positions that no longer count, because they were
-- recalled or have expired by themselves. One may be named twice.
local function holes(key)
  local time = redis.call('TIME')
  local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  local positions = redis.call('ZRANGE', key .. '/holes', 0, -1)
  for _, position in ipairs(redis.call('ZRANGE', key .. '/expiring', '-inf', now, 'BYSCORE')) do
    positions[#positions + 1] = position
  end
  return positions
end
