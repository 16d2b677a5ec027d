--- @include "tag"
--- @include "next_ingress_number"

-- Write operations for the dispatcher as one ingress entry, if there are any.
local function add_to_ingress(operations)
  if #operations == 0 then return end
  redis.call('XADD', tag .. '/ingress', next_ingress_number() .. '-0', 'o', cmsgpack.pack(operations))
end
