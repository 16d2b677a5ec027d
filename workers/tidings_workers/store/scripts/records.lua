-- Keep a notification's record, and list it among what its tenant has sent. `life` is milliseconds, 0 for ever.
local function keep_record(tenant, id, content, category, life)
  local record = tag .. '/n/' .. tenant .. '/' .. id
  if life > 0 then
    redis.call('SET', record, content, 'PX', string.format('%.0f', life))
  else
    redis.call('SET', record, content)
  end
  -- What the tenant has sent, in the order of this partition.
  local sent = tag .. '/sent/' .. tenant
  if category == '' then
    redis.call('XADD', sent, '*', 'i', id)
  else
    redis.call('XADD', sent, '*', 'i', id, 'c', category)
  end
  -- From its first entry on a sweep looks at it.
  if redis.call('XLEN', sent) == 1 then redis.call('ZADD', tag .. '/due', 'NX', 0, 's/' .. tenant) end
end
