-- Begins an epoch in this shard: closed, learning. ARGV 2 epoch, 3 the server's run, 4 the number of shards.
-- Answers SUPERSEDED where a later one has begun. KEYS 7 announcements.
define('begin', function()
  local gate = call('HMGET', KEYS[1], 'epoch', 'tick')
  epoch, tick = tonumber(gate[1] or 0), tonumber(gate[2] or 0)
  if epoch >= tonumber(ARGV[2]) then return answer(SUPERSEDED) end
  call('HSET', KEYS[1], 'epoch', ARGV[2], 'open', 'L', 'run', ARGV[3], 'shards', ARGV[4])
  call('DEL', KEYS[7])
  epoch = tonumber(ARGV[2])
  ticked()
  return answer(OK)
end)
