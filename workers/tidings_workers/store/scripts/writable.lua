#!lua
--[[
  Do nothing. After `#!lua` without flags Redis treats the script as one that writes, so a replica, a full disk and a
  full memory refuse it.

  KEYS[1]  any key; in a cluster, the primary of its slot runs the script

  Returns 1.
]]

return 1
