--- @include "value_of"

local function category_of(fields) return value_of(fields, 'c') end
