--- @include "accepted_key"
--- @include "kept_for"
--- @include "record_accepted"
--- @include "record_key"
--- @include "category_of"
--- @include "value_of"

local ID_LENGTH = 36

-- Whether an entry of `s/<tenant>` is a send to topics.
local function is_to_topics(fields) return fields[#fields - 1] == 't' end

-- Give a record, with its plan and receipts, the life that the rule says.
local function renew_record(record, keep, least_life)
  local accepted = record_accepted(record)
  if not accepted then return end
  for _, key in ipairs({ record, record .. '/plan', record .. '/receipts' }) do
    if keep == -1 then
      redis.call('PERSIST', key)
    else
      redis.call('PEXPIREAT', key, accepted + math.max(keep, least_life))
    end
  end
end

-- Renew the records of one entry of the list of sends by a rule of sweep.lua. A plain send has none until its entry is
-- removed. Returns the work in units of a record.
local function renew_entry(tenant, rule, least_life, fields)
  local ids, category, packed = {}, category_of(fields), value_of(fields, 'l')
  for at = 1, #fields[2], ID_LENGTH do ids[#ids + 1] = string.sub(fields[2], at, at + ID_LENGTH - 1) end
  local categories = packed ~= '' and cmsgpack.unpack(packed) or {}
  local accepted = redis.call('HMGET', accepted_key(tenant, ids[1]), unpack(ids))
  local work = 1
  for i, id in ipairs(ids) do
    if not accepted[i] or accepted[i] == '' then
      local keep = is_to_topics(fields) and rule[4] or kept_for(rule[2], rule[3], categories[i] or category)
      renew_record(record_key(tenant, id), keep, least_life)
      work = work + 1
    end
  end
  return work
end
