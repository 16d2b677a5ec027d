--- @include "tag"

-- The content that several copies of a compound notification in this partition have in common:
--   n       the stored content
--   copies  how many entries of logs refer to it; it is removed with the last one
local function shared_content(tenant, id) return tag .. '/contents/' .. tenant .. '/' .. id end
