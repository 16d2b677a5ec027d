-- A whole number as part of a text: Lua itself writes large ones as 1e+15. A number that is an argument of redis.call
-- needs no conversion.
local function decimal(number) return string.format('%.0f', number) end
