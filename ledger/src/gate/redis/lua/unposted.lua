-- Requests settled before ARGV 2 (time, limit) that the ledger has not posted.
define('unposted', function()
  enter()
  local before, limit = parse('>dd', ARGV[2])
  return answer(OK, table.concat(call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. whole(before), 'LIMIT', 0, limit)))
end, WHERE_MEMORY_IS_FULL)
