-- A whole number as text. Lua itself writes large numbers as 1e+15.
local function decimal(number) return string.format('%.0f', number) end
