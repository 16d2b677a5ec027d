#!lua
-- Reads and writes nothing. It may write, as far as Redis knows: so a replica, a full disk and a full
-- memory refuse it.
return 1
