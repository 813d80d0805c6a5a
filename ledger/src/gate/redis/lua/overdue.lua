-- Fences and answers holds whose deadline and grace are over; drops tombstones that are kept no longer.
-- ARGV 2 grace, keep, limit and how many tombstones at most; 3 what precedes an account in its key's name, which
-- has this shard's hash tag.
local function account_key(member)
  local hex = string.gsub(string.sub(member, 1, 16), '.', function(byte) return string.format('%02x', string.byte(byte)) end)
  return ARGV[3] .. hex
end

return run(function()
  enter()
  local grace, keep, limit, sweep_max = struct.unpack('>dddd', ARGV[2])
  local late = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. whole(now - grace), 'LIMIT', 0, limit)
  local holds = {}
  for _, member in ipairs(late) do
    local account, field = account_key(member), 'e' .. string.sub(member, 17)
    local e = entry_of(redis.call('HGET', account, field))
    if e and e.kind == HELD then
      if e.fenced == 0 then
        e.fenced = 1
        redis.call('HSET', account, field, entry_blob(e))
        -- Found again at every look, whatever the clock does, until it ends.
        redis.call('ZADD', KEYS[2], 0, member)
      end
      holds[#holds + 1] = struct.pack('>c32Bc16i4I4c16', member, e.has_key, e.key, high(e.amount), low(e.amount), e.owner)
    end
  end
  local over = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', '(' .. whole(now - keep), 'LIMIT', 0, sweep_max)
  for _, member in ipairs(over) do
    local account = account_key(member)
    local a = account_of(redis.call('HGET', account, 'a'))
    a.entries = a.entries - 1
    redis.call('HDEL', account, 'e' .. string.sub(member, 17))
    redis.call('HSET', account, 'a', account_blob(a))
    redis.call('ZREM', KEYS[4], member)
  end
  if #holds > 0 or #over > 0 then ticked() end
  return answer(OK, table.concat(holds))
end)
