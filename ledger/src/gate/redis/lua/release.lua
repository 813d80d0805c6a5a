-- Drops a hold that cost nothing. ARGV 2 account and request.
define('release', function()
  enter()
  local field = 'e' .. substring(ARGV[2], 17)
  local found = call('HMGET', KEYS[6], 'a', field)
  local e = entry_of(found[2])
  if not e or e.kind ~= HELD then return answer(OK) end
  local a, k = account_of(found[1]), key_of_entry(e, KEYS[6])
  leave(a, k, e, ZERO)
  correct_tokens(a, k, e, 0)
  a.entries = a.entries - 1
  call('HDEL', KEYS[6], field)
  save(a, k, e.key)
  call('ZREM', KEYS[2], ARGV[2])
  ticked()
  return answer(OK)
end, WHERE_MEMORY_IS_FULL)
