--- @include "append"
--- @include "shared_content"

-- From this number of copies in one call they share one content. Below it, that would take more memory.
local SHARED_FROM = 3

-- Whether the log has, or had, the copy of a notification. A copy that was removed, or recalled before it was made, is
-- not made again.
local function had_copy(key, id)
  return redis.call('ZSCORE', key .. '/copies', id) or redis.call('HEXISTS', key .. '/ended', id) == 1
    or redis.call('ZSCORE', key .. '/parted', id)
end

-- Append the copies of a compound notification for users or topics, each once.
local function append_copies(bases, id, content, expires, category)
  local shared, count = #bases >= SHARED_FROM and id or nil, 0
  for _, base in ipairs(bases) do
    local key = tag .. '/' .. base
    if not had_copy(key, id) then
      redis.call('ZADD', key .. '/copies', append(base, content, expires, '', category, shared), id)
      count = count + 1
    end
  end
  if shared and count > 0 then
    local key = shared_content(string.match(bases[1], '^./([^/]+)'), id)
    redis.call('HSETNX', key, 'n', content)
    redis.call('HINCRBY', key, 'copies', count)
  end
end
