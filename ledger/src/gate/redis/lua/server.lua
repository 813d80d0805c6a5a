-- What a call is given. KEYS 1 gate, 2 due, 3 pending, 4 tombstones, 5 accounts, 6 the account.
-- Functions live as long as the server's process, and so do a library's variables: **every call sets what it uses.**
local KEYS, ARGV
-- Looked up once, when somebody vouches: a library that is being loaded has none of them.
local call, pack, parse, substring, format, min, max, fmod

local function bind()
  call, pack, parse, substring, format = redis.call, struct.pack, struct.unpack, string.sub, string.format
  min, max, fmod = math.min, math.max, math.fmod
end
