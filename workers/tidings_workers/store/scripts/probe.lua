--[[
  Put a probe into the ingress: the dispatcher writes its token in another partition.

  KEYS[1]  hash tag of the partition
  ARGV[1]  token
  ARGV[2]  number of the other partition

  Returns 1.
]]

--- @include "add_to_ingress"

local token, partition = unpack(ARGV)
add_to_ingress({ { 'p', token, tonumber(partition) } })
return 1
