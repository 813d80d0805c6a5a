-- One step of a rebuild; each is refused unless its epoch is the one being learned. ARGV 1 step, 2 epoch.
--   wipe   3 what precedes an account in its key's name, 4 how many: forgets accounts of the epoch before
--   load   3 account, 4... field and value: writes an account as it is
--   keys   3... field and value: what is known of keys outside their accounts (KEYS 6)
--   announce 3 node, 4 holds and charges (KEYS 7)
--   open   the epoch's state is whole
-- Only set, never add. Answers a number: what is left to wipe, 0, or -1 if refused.
register('learning', function()
  local gate = call('HMGET', KEYS[1], 'epoch', 'open')
  if gate[1] ~= ARGV[2] or gate[2] ~= 'L' then return -1 end
  local step = ARGV[1]

  if step == 'wipe' then
    local gone = call('SPOP', KEYS[5], ARGV[4])
    for _, id in ipairs(gone) do call('UNLINK', account_key(ARGV[3], id)) end
    call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[6])
    return call('SCARD', KEYS[5])
  end
  if step == 'load' then
    call('SADD', KEYS[5], ARGV[3])
    for index = 4, #ARGV, 2 do
      local field, value = ARGV[index], ARGV[index + 1]
      call('HSET', KEYS[6], field, value)
      if substring(field, 1, 1) == 'e' then
        local kind = string.byte(value, 1)
        -- The time stands behind kind, flags, key, day, two amounts and the owner.
        local time = parse('>d', value, 58)
        call('ZADD', KEYS[kind + 1], time, ARGV[3] .. substring(field, 2))
      end
    end
  end
  if step == 'keys' then
    for index = 3, #ARGV, 2 do call('HSET', KEYS[6], ARGV[index], ARGV[index + 1]) end
  end
  if step == 'announce' then call('HSET', KEYS[7], ARGV[3], ARGV[4]) end
  if step == 'open' then call('HSET', KEYS[1], 'open', '1') end
  call('HINCRBY', KEYS[1], 'tick', 1)
  return 0
end)
