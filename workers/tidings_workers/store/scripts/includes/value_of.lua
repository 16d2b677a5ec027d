-- The value of a field of a stream entry, or ''.
local function value_of(fields, name)
  for i = 3, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return ''
end
