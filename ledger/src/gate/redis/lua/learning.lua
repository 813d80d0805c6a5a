-- One step of a rebuild; each is refused unless its epoch is the one being learned. ARGV 1 step, 2 epoch.
--   wipe   3 what precedes an account in its key's name, 4 how many: forgets accounts of the epoch before
--   load   3 account, 4... field and value: writes an account as it is
--   keys   3... field and value: what is known of keys outside their accounts (KEYS 6)
--   announce 3 node, 4 holds and charges (KEYS 7)
--   open   the epoch's state is whole
-- Only set, never add. Answers a number: what is left to wipe, 0, or -1 if refused.
local gate = redis.call('HMGET', KEYS[1], 'epoch', 'open')
if gate[1] ~= ARGV[2] or gate[2] ~= 'L' then return -1 end
local step = ARGV[1]

local function account_key(id)
  return ARGV[3] .. string.gsub(id, '.', function(byte) return string.format('%02x', string.byte(byte)) end)
end

if step == 'wipe' then
  local gone = redis.call('SPOP', KEYS[5], ARGV[4])
  for _, id in ipairs(gone) do redis.call('UNLINK', account_key(id)) end
  redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[6])
  return redis.call('SCARD', KEYS[5])
end
if step == 'load' then
  redis.call('SADD', KEYS[5], ARGV[3])
  for index = 4, #ARGV, 2 do
    local field, value = ARGV[index], ARGV[index + 1]
    redis.call('HSET', KEYS[6], field, value)
    if string.sub(field, 1, 1) == 'e' then
      local kind = string.byte(value, 1)
      -- The time stands behind kind, flags, key, day, two amounts and the owner.
      local time = struct.unpack('>d', value, 58)
      redis.call('ZADD', KEYS[kind + 1], string.format('%.0f', time), ARGV[3] .. string.sub(field, 2))
    end
  end
end
if step == 'keys' then
  for index = 3, #ARGV, 2 do redis.call('HSET', KEYS[6], ARGV[index], ARGV[index + 1]) end
end
if step == 'announce' then redis.call('HSET', KEYS[7], ARGV[3], ARGV[4]) end
if step == 'open' then redis.call('HSET', KEYS[1], 'open', '1') end
redis.call('HINCRBY', KEYS[1], 'tick', 1)
return 0
