--- @include "tag"

local function record_key(tenant, id) return tag .. '/n/' .. tenant .. '/' .. id end
