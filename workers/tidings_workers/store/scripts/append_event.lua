--[[
  Write an event that belongs to no other change of the store.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant
  ARGV[2]  type
  ARGV[3]  data as JSON
  ARGV[4]  an id, for an event that a later call with this id does not write again, or ''
  ARGV[5]  how long the id is kept in ms

  Returns 1 when somebody wants the type: the event was written, now or by an earlier call. Else 0.
]]

--- @include "write_event"

local tenant, type, data, once, life = unpack(ARGV)
if not wants_event(tenant, type) then return 0 end
local key = tag .. '/event-log/' .. tenant .. '/once/' .. once
if once == '' or redis.call('SET', key, '', 'NX', 'PX', life) then write_event(tenant, type, data) end
return 1
