-- Requests to free models; `protocol/free.rs` in Lua. They stand in field 'f', apart from the sums: builds before it existed
-- read those.
local FREE, DAY_MICROS = '>dddi4I4', 86400000000

local function free_of(blob)
  if not blob then return {minute = {0, 0, 0}, day = 0, used = 0} end
  local f = {parse(FREE, blob)}
  return {minute = {f[1], f[2], f[3]}, day = f[4], used = f[5]}
end

local function free_blob(f) return pack(FREE, f.minute[1], f.minute[2], f.minute[3], f.day, f.used) end

local function today() return quotient(now, DAY_MICROS) end

local function used_on(f, day) return f.day == day and f.used or 0 end

-- The next use of free models; or nil and a refusal: the day before the minute, which waiting would not help.
local function free_taken(per_minute, per_day)
  local f, day = free_of(call('HGET', KEYS[6], 'f')), today()
  local used = used_on(f, day)
  if used >= per_day then
    return nil, refusal(BY_ACCOUNT, FREE_DAY, per_day > 0 and quotient_up((day + 1) * DAY_MICROS - now, 1000) or -1)
  end
  local minute, remaining, wait = take(f.minute, per_minute, 1, now)
  if not minute then return nil, refusal(BY_ACCOUNT, FREE_MINUTE, wait, remaining) end
  return {minute = minute, day = day, used = used + 1}
end
