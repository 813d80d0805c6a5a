-- Gives live holds a fresh deadline. ARGV 2 how long they live, 3... account and request; KEYS 6... the
-- account of each. Answers the numbers of those that cannot be renewed.
return run(function()
  enter()
  local deadline, gone = now + struct.unpack('>d', ARGV[2]), {}
  for index = 3, #ARGV do
    local account, field = KEYS[index + 3], 'e' .. string.sub(ARGV[index], 17)
    local e = entry_of(redis.call('HGET', account, field))
    if e and e.kind == HELD and e.fenced == 0 then
      e.time = deadline
      redis.call('HSET', account, field, entry_blob(e))
      redis.call('ZADD', KEYS[2], whole(deadline), ARGV[index])
    else
      gone[#gone + 1] = struct.pack('>I4', index - 3)
    end
  end
  ticked()
  return answer(OK, table.concat(gone))
end)
