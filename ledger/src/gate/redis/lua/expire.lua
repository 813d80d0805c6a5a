-- Ends an orphan's hold and leaves a tombstone. ARGV 2 account and request.
define('expire', function()
  enter()
  local field = 'e' .. substring(ARGV[2], 17)
  local found = call('HMGET', KEYS[6], 'a', field)
  local e = entry_of(found[2])
  if not e or e.kind ~= HELD then return answer(OK) end
  local a, k = account_of(found[1]), key_of_entry(e, KEYS[6])
  leave(a, k, e, ZERO)
  e.kind, e.fenced, e.amount, e.worst, e.time = EXPIRED, 0, ZERO, ZERO, now
  save(a, k, e.key, field, entry_blob(e))
  call('ZREM', KEYS[2], ARGV[2])
  call('ZADD', KEYS[4], now, ARGV[2])
  ticked()
  return answer(OK)
end, WHERE_MEMORY_IS_FULL)
