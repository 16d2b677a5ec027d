--- @include "tag"

-- The gateways with an interest in each log: one hash of a partition, from base to the names of gateways with spaces
-- between them.
local interest = tag .. '/interest'
