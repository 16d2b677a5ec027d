--[[
  Read the view of a user.

  KEYS[1]  hash tag of the partition
  ARGV[1]  base of the user's log

  Returns the view (see view.lua).
]]

--- @include "view"

return view(ARGV[1])
