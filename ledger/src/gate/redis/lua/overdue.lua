-- Fences and answers holds whose deadline and grace are over; drops tombstones that are kept no longer.
-- ARGV 2 grace, keep, limit and how many tombstones at most; 3 what precedes an account in its key's name, which
-- has this shard's hash tag.
define('overdue', function()
  enter()
  local grace, keep, limit, sweep_max = parse('>dddd', ARGV[2])
  local late = call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. whole(now - grace), 'LIMIT', 0, limit)
  local holds = {}
  for _, member in ipairs(late) do
    local account, field = account_key(ARGV[3], member), 'e' .. substring(member, 17)
    local e = entry_of(call('HGET', account, field))
    if e and e.kind == HELD then
      if e.fenced == 0 then
        e.fenced = 1
        call('HSET', account, field, entry_blob(e))
        -- Found again at every look, whatever the clock does, until it ends.
        call('ZADD', KEYS[2], 0, member)
      end
      holds[#holds + 1] = encode('>c32Bc16i8c16', member, e.has_key, e.key, e.amount, e.owner)
    end
  end
  local over = call('ZRANGEBYSCORE', KEYS[4], '-inf', '(' .. whole(now - keep), 'LIMIT', 0, sweep_max)
  for _, member in ipairs(over) do
    local account = account_key(ARGV[3], member)
    local a = account_of(call('HGET', account, 'a'))
    a.entries = a.entries - 1
    call('HDEL', account, 'e' .. substring(member, 17))
    call('HSET', account, 'a', account_blob(a))
    call('ZREM', KEYS[4], member)
  end
  if #holds > 0 or #over > 0 then ticked() end
  return answer(OK, table.concat(holds))
end, WHERE_MEMORY_IS_FULL)
