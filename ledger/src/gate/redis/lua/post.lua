-- Takes the ledger's word: sets what is newer, forgets exactly the named requests. ARGV 2 account,
-- 3 balance and position, 4 requests, 5 key spend, 6 what the ledger had of keys first seen now, 7 the epoch
-- that is from, 8 accounts that fit. Answers 1 where a key's day was too old to be set.
-- Fields, values and members of one command: Lua's stack has a bound. Even, for fields and their values.
local CHUNK = 500

local function in_chunks(list, command, key)
  for first = 1, #list, CHUNK do call(command, key, unpack(list, first, min(first + CHUNK - 1, #list))) end
end

-- What the account is asked for: its sums, the entries named in ARGV 4 and the keys of ARGV 5, each once.
local function fields_asked()
  local fields, ids, seen = {'a'}, {}, {}
  for index = 1, #ARGV[4], 16 do
    local id = substring(ARGV[4], index, index + 15)
    local field = 'e' .. id
    if not seen[field] then ids[#ids + 1], fields[#fields + 1], seen[field] = id, field, true end
  end
  for index = 1, #ARGV[5], 28 do
    local field = 'k' .. substring(ARGV[5], index, index + 15)
    if not seen[field] then fields[#fields + 1], seen[field] = field, true end
  end
  return fields, ids
end

-- By field; false where there is none.
local function values_of(fields)
  local values = {}
  for first = 1, #fields, CHUNK do
    local last = min(first + CHUNK - 1, #fields)
    local found = call('HMGET', KEYS[6], unpack(fields, first, last))
    for index = first, last do values[fields[index]] = found[index - first + 1] end
  end
  return values
end

define('post', function()
  enter()
  local fields, ids = fields_asked()
  local values = values_of(fields)
  local a = account_of(values.a)
  if a.fresh and call('SCARD', KEYS[5]) >= parse('>d', ARGV[8]) then finish(FULL, '\0') end
  local keys, adopted, offset = {}, {}, 1
  if ARGV[6] ~= '' and ARGV[7] == whole(epoch) then
    while offset <= #ARGV[6] do
      local id, bytes = parse('>c16I4', ARGV[6], offset)
      adopted[id] = substring(ARGV[6], offset + 20, offset + 19 + bytes)
      offset = offset + 20 + bytes
    end
  end
  local function key(id)
    if keys[id] then return keys[id] end
    local blob = values['k' .. id]
    if blob == nil then blob = call('HGET', KEYS[6], 'k' .. id) end
    if blob then
      keys[id] = key_of(blob)
    elseif adopted[id] then
      keys[id], a.keys = adopt(adopted[id], a.position), a.keys + 1
    else
      finish(NEED_KEYS)
    end
    return keys[id]
  end
  for index = 1, #ARGV[5], 28 do key(substring(ARGV[5], index, index + 15)) end
  -- Fields of the account, and members of the set of each kind.
  local forgotten, left = {}, {}
  for _, id in ipairs(ids) do
    local e = entry_of(values['e' .. id])
    if e then
      local k = e.has_key == 1 and key(e.key) or nil
      if e.kind == HELD then leave(a, k, e, ZERO) end
      if e.kind == PENDING then change(a, k, e.day, ZERO, sub(ZERO, e.amount), ZERO, 0) end
      a.entries, forgotten[#forgotten + 1] = a.entries - 1, 'e' .. id
      local members = left[e.kind] or {}
      members[#members + 1], left[e.kind] = ARGV[2] .. id, members
    end
  end
  local posted, position = decode('>i8I8', ARGV[3])
  check(posted, position)
  if not less(position, a.position) then a.posted, a.position = posted, position end
  local too_old = '\0'
  for index = 1, #ARGV[5], 28 do
    local id, day, total = decode('>c16i4i8', ARGV[5], index)
    check(total)
    if not post_day(key(id), day, total, position) then too_old = '\1' end
  end
  if a.fresh then call('SADD', KEYS[5], ARGV[2]) end
  in_chunks(forgotten, 'HDEL', KEYS[6])
  for kind, members in pairs(left) do in_chunks(members, 'ZREM', KEYS[kind + 1]) end
  local written = {'a', account_blob(a)}
  for id, k in pairs(keys) do written[#written + 1], written[#written + 2] = 'k' .. id, key_blob(k) end
  in_chunks(written, 'HSET', KEYS[6])
  ticked()
  return answer(OK, too_old)
end, WHERE_MEMORY_IS_FULL)
