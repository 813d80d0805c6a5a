-- Takes the ledger's word: sets what is newer, forgets exactly the named requests. ARGV 2 account,
-- 3 balance and position, 4 requests, 5 key spend, 6 what the ledger had of keys first seen now, 7 the epoch
-- that is from, 8 accounts that fit. Answers 1 where a key's day was too old to be set.
-- Fields and members of one command: Lua's stack has a bound.
local CHUNK = 500

local function in_chunks(list, command, key)
  for first = 1, #list, CHUNK do redis.call(command, key, unpack(list, first, math.min(first + CHUNK - 1, #list))) end
end

-- The ids in ARGV 4, each once, and the entries of those that there are.
local function named_entries()
  local ids, seen, entries = {}, {}, {}
  for index = 1, #ARGV[4], 16 do
    local id = string.sub(ARGV[4], index, index + 15)
    if not seen[id] then
      ids[#ids + 1], seen[id] = id, true
    end
  end
  for first = 1, #ids, CHUNK do
    local fields = {}
    for index = first, math.min(first + CHUNK - 1, #ids) do fields[#fields + 1] = 'e' .. ids[index] end
    local found = redis.call('HMGET', KEYS[6], unpack(fields))
    for index = 1, #fields do entries[ids[first + index - 1]] = entry_of(found[index]) end
  end
  return ids, entries
end

return run(function()
  enter()
  local a = account_of(redis.call('HGET', KEYS[6], 'a'))
  if a.fresh and redis.call('SCARD', KEYS[5]) >= struct.unpack('>d', ARGV[8]) then finish(FULL, '\0') end
  local keys, adopted, offset = {}, {}, 1
  if ARGV[7] == whole(epoch) then
    while offset <= #ARGV[6] do
      local id, bytes = struct.unpack('>c16I4', ARGV[6], offset)
      adopted[id] = string.sub(ARGV[6], offset + 20, offset + 19 + bytes)
      offset = offset + 20 + bytes
    end
  end
  local function key(id)
    if keys[id] then return keys[id] end
    local blob = redis.call('HGET', KEYS[6], 'k' .. id)
    if blob then
      keys[id] = key_of(blob)
    elseif adopted[id] then
      keys[id], a.keys = adopt(adopted[id], a.position), a.keys + 1
    else
      finish(NEED_KEYS)
    end
    return keys[id]
  end
  for index = 1, #ARGV[5], 28 do key(string.sub(ARGV[5], index, index + 15)) end
  -- Fields of the account, and members of the set of each kind.
  local forgotten, left = {}, {[HELD] = {}, [PENDING] = {}, [EXPIRED] = {}}
  local ids, entries = named_entries()
  for _, id in ipairs(ids) do
    local e = entries[id]
    if e then
      local k = e.has_key == 1 and key(e.key) or nil
      if e.kind == HELD then leave(a, k, e, ZERO) end
      if e.kind == PENDING then change(a, k, e.day, ZERO, sub(ZERO, e.amount), ZERO, 0) end
      a.entries, forgotten[#forgotten + 1] = a.entries - 1, 'e' .. id
      table.insert(left[e.kind], ARGV[2] .. id)
    end
  end
  local ph, pl, nh, nl = struct.unpack('>i4I4I4I4', ARGV[3])
  local position = amount(nh, nl)
  if not less(position, a.position) then a.posted, a.position = amount(ph, pl), position end
  local too_old = '\0'
  for index = 1, #ARGV[5], 28 do
    local id, day, total_high, total_low = struct.unpack('>c16i4i4I4', ARGV[5], index)
    if not post_day(key(id), day, amount(total_high, total_low), position) then too_old = '\1' end
  end
  if a.fresh then redis.call('SADD', KEYS[5], ARGV[2]) end
  in_chunks(forgotten, 'HDEL', KEYS[6])
  for kind, members in pairs(left) do in_chunks(members, 'ZREM', KEYS[kind + 1]) end
  for id, k in pairs(keys) do redis.call('HSET', KEYS[6], 'k' .. id, key_blob(k)) end
  save(a)
  ticked()
  return answer(OK, too_old)
end)
