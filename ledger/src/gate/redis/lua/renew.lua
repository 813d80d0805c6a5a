-- Gives live holds a fresh deadline. ARGV 2 how long they live, 3... account and request; KEYS 6... the
-- account of each. Answers the numbers of those that cannot be renewed.
define('renew', function()
  enter()
  local deadline, gone = now + parse('>d', ARGV[2]), {}
  for index = 3, #ARGV do
    local account, field = KEYS[index + 3], 'e' .. substring(ARGV[index], 17)
    local e = entry_of(call('HGET', account, field))
    if e and e.kind == HELD and e.fenced == 0 then
      e.time = deadline
      call('HSET', account, field, entry_blob(e))
      call('ZADD', KEYS[2], deadline, ARGV[index])
    else
      gone[#gone + 1] = pack('>I4', index - 3)
    end
  end
  ticked()
  return answer(OK, table.concat(gone))
end, WHERE_MEMORY_IS_FULL)
