-- Requests settled before ARGV 2 (time, limit) that the ledger has not posted.
return run(function()
  enter()
  local before, limit = struct.unpack('>dd', ARGV[2])
  return answer(OK, table.concat(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. whole(before), 'LIMIT', 0, limit)))
end)
