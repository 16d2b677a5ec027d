local time_ms

-- The time of the server in milliseconds, when the script first asked for it.
local function now_ms()
  if not time_ms then
    local time = redis.call('TIME')
    time_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return time_ms
end
