--[[
  Read the record of a notification.

  KEYS[1]  hash tag of the partition
  ARGV[1]  tenant
  ARGV[2]  id

  Returns the record (see record_header.lua), or false when there is none.
]]

--- @include "record_text"

local tenant, id = unpack(ARGV)
return record_text(tenant, id) or false
