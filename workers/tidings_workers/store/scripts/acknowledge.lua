--[[
  Move the positions of devices forward. A position moves back only for a device that starts over (`start`), or when
  the epoch is another one.

  KEYS[1]  hash tag of the partition
  ARGV[1]  packed:
    1 now    Unix ms
    2 limit  of devices per user; above it, the device that was unused the longest is removed
    3 items  {base, device, positions, start, initial} each: the user's base, log -> position, whether the device starts
             over, and the positions of further logs for a device that is new
    4 epoch

  Returns the number of items.
]]

--- @include "tag"

local now, limit, items, epoch = unpack(cmsgpack.unpack(ARGV[1]))

local function remove_oldest_device(key, kept)
  local oldest, unused_since
  local devices = redis.call('HGETALL', key)
  for i = 1, #devices, 2 do
    local used = cmsgpack.unpack(devices[i + 1])[1]
    if devices[i] ~= kept and (not unused_since or used < unused_since) then
      oldest, unused_since = devices[i], used
    end
  end
  redis.call('HDEL', key, oldest)
end

for _, item in ipairs(items) do
  local base, device, positions, start, initial = unpack(item)
  local key = tag .. '/' .. base .. '/devices'
  local packed = redis.call('HGET', key, device)
  local stored = initial
  if packed and not start then
    local _, before, stored_epoch = unpack(cmsgpack.unpack(packed))
    if stored_epoch == epoch then
      stored = before
      for log, position in pairs(positions) do
        if position > (stored[log] or -1) then stored[log] = position end
      end
      positions = {}
    end
  end
  for log, position in pairs(positions) do
    stored[log] = position
  end
  redis.call('HSET', key, device, cmsgpack.pack({ now, stored, epoch }))
  if not packed and redis.call('HLEN', key) > limit then remove_oldest_device(key, device) end
end
return #items
