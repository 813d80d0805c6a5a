-- Raises a hold to ARGV 3 (amount, retry in milliseconds); never lowers it. ARGV 2 account and request.
local function held(e) return answer(OK, encode('>i8i8', e.amount, e.worst)) end

local function refused_raise(a, k, e, raise, retry)
  -- What the request holds already is its own: only the rest of the settled balance must cover the raise.
  local settled = settled_balance(a)
  if less(sub(settled, e.amount), raise) then return refusal(BY_ACCOUNT, less(settled, ZERO) and NEGATIVE or BALANCE) end
  if less(sub_saturating(settled, a.held), raise) then return refusal(BY_ACCOUNT, IN_FLIGHT, retry) end
  if e.window == 0 or not k then return nil end
  local _, refused = key_room(k, e, e.amount, raise, retry)
  return refused
end

define('resize', function()
  enter()
  local to, retry = decode('>i8d', ARGV[3])
  check(to)
  local field = 'e' .. substring(ARGV[2], 17)
  local found = call('HMGET', KEYS[6], 'a', field)
  local e = entry_of(found[2])
  if not e or e.kind ~= HELD or e.fenced == 1 then return answer(NO_HOLD) end
  local a = account_of(found[1])
  show(a)
  local worst, raise = larger(e.worst, to), sub(to, e.amount)
  if not less(ZERO, raise) then return held(e) end
  local k = key_of_entry(e, KEYS[6])
  local refused = refused_raise(a, k, e, raise, retry)
  if refused then return answer(REFUSED, refused) end
  change(a, k, e.day, raise, ZERO, sub(sub(worst, to), sub_saturating(e.worst, e.amount)), 0)
  e.amount, e.worst = to, worst
  save(a, k, e.key, field, entry_blob(e))
  ticked()
  show(a)
  return held(e)
end)
