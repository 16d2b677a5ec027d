-- A user's view of the inbox. ARGV: base. See view.lua.

--- @include "view"

return view(ARGV[1])
