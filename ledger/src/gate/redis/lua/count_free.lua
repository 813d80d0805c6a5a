-- Counts a request in flight as one to a free model, once. ARGV 2 account and request, 3 so many a minute and a day.
define('count_free', function()
  enter()
  local per_minute, per_day = parse('>dd', ARGV[3])
  local field = 'e' .. substring(ARGV[2], 17)
  local found = call('HMGET', KEYS[6], 'a', field)
  local e = entry_of(found[2])
  if not e or e.kind ~= HELD or e.fenced == 1 then return answer(NO_HOLD) end
  show(account_of(found[1]))
  if not e.is_free then
    local free, refused = free_taken(per_minute, per_day)
    if not free then return answer(REFUSED, refused) end
    e.is_free = true
    call('HSET', KEYS[6], field, entry_blob(e), 'f', free_blob(free))
    ticked()
  end
  return answer(OK, encode('>i8i8', e.amount, e.worst))
end)
