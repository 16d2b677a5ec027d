-- The time (ms) at which a notification was accepted. An id begins with it (RFC 9562).
local function id_time(id) return tonumber(string.sub(id, 1, 8), 16) * 65536 + tonumber(string.sub(id, 10, 13), 16) end
