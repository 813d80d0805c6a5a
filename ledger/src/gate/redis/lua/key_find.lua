-- What is known of a key outside its account, in the key's own shard. ARGV 2 key, 3 its account ('' to only
-- look). KEYS 6 the shard's keys: 'd'<key> what the ledger has of it, 'o'<key> its account.
define('key_find', function()
  enter()
  if ARGV[3] ~= '' then
    call('HSET', KEYS[6], 'o' .. ARGV[2], ARGV[3])
    ticked()
  end
  local found = call('HMGET', KEYS[6], 'o' .. ARGV[2], 'd' .. ARGV[2])
  local owner = found[1] or ''
  return answer(OK, pack('>B', #owner) .. owner .. (found[2] or ''))
end, WHERE_MEMORY_IS_FULL)
