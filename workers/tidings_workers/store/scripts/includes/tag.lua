-- The hash tag of the partition. Every key of a script begins with it, so all of them are in the slot that the
-- caller routed to.
local tag = KEYS[1]
