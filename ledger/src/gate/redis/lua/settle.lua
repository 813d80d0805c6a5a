-- Hold or tombstone to pending. ARGV 2 account and request, 3 what it cost and the tokens used.
define('settle', function()
  enter()
  local actual, used = decode('>i8d', ARGV[3])
  check(actual)
  local field = 'e' .. substring(ARGV[2], 17)
  local found = call('HMGET', KEYS[6], 'a', field)
  if not found[1] then return answer(OK) end
  local a, e = account_of(found[1]), entry_of(found[2])
  show(a)
  if not e or e.kind == PENDING then return answer(OK) end
  local k = key_of_entry(e, KEYS[6])
  local set = KEYS[e.kind == HELD and 2 or 4]
  if e.kind == HELD then leave(a, k, e, actual) else change(a, k, e.day, ZERO, actual, ZERO, 0) end
  correct_tokens(a, k, e, used)
  e.kind, e.fenced, e.amount, e.worst, e.time = PENDING, 0, actual, actual, now
  save(a, k, e.key, field, entry_blob(e))
  call('ZREM', set, ARGV[2])
  call('ZADD', KEYS[3], now, ARGV[2])
  ticked()
  show(a)
  return answer(OK)
end, WHERE_MEMORY_IS_FULL)
