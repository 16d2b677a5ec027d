-- Move devices' positions forward. ARGV[1]: packed {now ms, limit, {{base, device, positions, start}},
-- epoch}. A position never moves back, but for a device that starts anew at other positions (`start`), or
-- in another epoch.
-- A user keeps `limit` devices; the longest unused is forgotten.
local request = cmsgpack.unpack(ARGV[1])
local now, limit, epoch = request[1], request[2], request[4]
for _, item in ipairs(request[3]) do
  local key = KEYS[1] .. '/' .. item[1] .. '/devices'
  local held = redis.call('HGET', key, item[2])
  local positions = item[3]
  if held and not item[4] then
    local old = cmsgpack.unpack(held)
    if old[3] == epoch then
      for log, position in pairs(positions) do
        if position > (old[2][log] or -1) then old[2][log] = position end
      end
      positions = old[2]
    end
  end
  redis.call('HSET', key, item[2], cmsgpack.pack({ now, positions, epoch }))
  if not held and redis.call('HLEN', key) > limit then
    local oldest, unused
    local devices = redis.call('HGETALL', key)
    for i = 1, #devices, 2 do
      local used = cmsgpack.unpack(devices[i + 1])[1]
      if devices[i] ~= item[2] and (not unused or used < unused) then oldest, unused = devices[i], used end
    end
    redis.call('HDEL', key, oldest)
  end
end
return #request[3]
