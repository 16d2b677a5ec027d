-- How long entries of a category are kept, in ms, -1 for ever. `categories` is {name, ms, ...}; a name that ends in a
-- dot is a prefix.
local function kept_for(keep, categories, category)
  for i = 1, #categories, 2 do
    local name = categories[i]
    if category == name or (string.sub(name, -1) == '.' and string.sub(category, 1, #name) == name) then
      return categories[i + 1]
    end
  end
  return keep
end
