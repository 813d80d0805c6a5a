-- Refusals, and the checks of money that admission and raising share.
local BY_ACCOUNT, BY_KEY = 0, 1
local NEGATIVE, BALANCE, IN_FLIGHT, KEY_LIMIT, KEY_IN_FLIGHT, REQUESTS, TOKENS, CONCURRENCY, FREE_DAY, FREE_MINUTE = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9

-- `wait`: milliseconds until it may fit, -1 where waiting does not help.
local function refusal(level, cause, wait, remaining)
  return pack('>BBdd', level, cause, wait or -1, remaining or 0)
end

local function settled_balance(a) return sub_saturating(a.posted, a.pending) end

local function key_facts(e, spent, held) return encode('>Bi4i8i8i8', e.window, e.day, e.limit, spent, held) end

-- What a key's limit leaves; or nil and a refusal where that is less than `needed`.
local function key_room(k, e, own, needed, retry)
  local spent, held = in_window(k, e.window, e.first, e.last)
  local unspent = sub(e.limit, spent)
  if less(sub(unspent, own), needed) then return nil, refusal(BY_KEY, KEY_LIMIT) .. key_facts(e, spent, held) end
  local room = sub(unspent, held)
  if less(room, needed) then return nil, refusal(BY_KEY, KEY_IN_FLIGHT, retry) .. key_facts(e, spent, held) end
  return room
end
