-- Requests to free models; `protocol/free.rs` in Lua. They stand in field 'f', apart from the sums: builds before it existed
-- read those.
local FREE, DAY_MICROS = '>dddi4I4', 86400000000

local function free_of(blob)
  if not blob then return {minute = {0, 0, 0}, day = 0, used = 0} end
  local f = {struct.unpack(FREE, blob)}
  return {minute = {f[1], f[2], f[3]}, day = f[4], used = f[5]}
end

local function free_blob(f) return struct.pack(FREE, f.minute[1], f.minute[2], f.minute[3], f.day, f.used) end

local function today() return quotient(now, DAY_MICROS) end

local function used_on(f, day) return f.day == day and f.used or 0 end
