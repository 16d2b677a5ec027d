--[[
  Take over the batch of a partition that has not ended. From now on its archiver can't remove its entries from Redis.

  KEYS[1]  hash tag of the partition

  Returns the text of `archiving`, or false when no batch is under way. The archive must not have the positions in it:
  after their removal there, the batch ends by end_batch.lua.
]]

--- @include "tag"

local packed = redis.call('GET', tag .. '/archiving')
if not packed then return false end
local token, stage, now, batch = unpack(cmsgpack.unpack(packed))
if stage == 'moving' then
  for i, log in ipairs(batch) do
    local positions, places = {}, log[#log]
    for k, place in ipairs(places) do positions[k] = place[1] end
    batch[i] = { log[1], positions }
  end
  packed = cmsgpack.pack({ token, 'excess', now, batch })
  redis.call('SET', tag .. '/archiving', packed)
end
return packed
