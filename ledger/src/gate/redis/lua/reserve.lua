-- Admits a request or says which limit refuses it. ARGV 2 account and request, 3 the command,
-- 4 what the ledger has of the key ('' where it was not asked for), 5 the epoch that is from.
local COMMAND = '>Bc16Bi4i4i8i8i8i8i8di4c16dddddddddddd'

local function rates_taken(level, in_use, requests, tokens, concurrency, cells, retry)
  if concurrency >= 0 and in_use.live >= concurrency then
    return nil, refusal(level, CONCURRENCY, concurrency > 0 and retry or -1)
  end
  local taken, remaining, wait = {}, nil, nil
  if requests >= 0 then
    taken.requests, remaining, wait = take(in_use.requests, requests, 1, now)
    if not taken.requests then return nil, refusal(level, REQUESTS, wait, remaining) end
  end
  if tokens >= 0 then
    taken.tokens, remaining, wait = take(in_use.tokens, tokens, cells, now)
    if not taken.tokens then return nil, refusal(level, TOKENS, wait, remaining) end
  end
  return taken
end

-- How much is held and what the request may cost; or nil and a refusal.
local function granted(a, k, e, c)
  local settled = settled_balance(a)
  if less(settled, ZERO) then return nil, refusal(BY_ACCOUNT, NEGATIVE) end
  local worst = larger(c.worst, c.hold)
  if equal(worst, ZERO) then return ZERO, ZERO end
  local minimum = smaller(c.minimum, c.hold)
  if less(settled, minimum) then return nil, refusal(BY_ACCOUNT, BALANCE) end
  local room = sub_saturating(settled, a.held)
  if less(room, minimum) then return nil, refusal(BY_ACCOUNT, IN_FLIGHT, c.retry) end
  if k and e.window > 0 then
    local left, refused = key_room(k, e, ZERO, minimum, c.retry)
    if not left then return nil, refused end
    room = smaller(room, left)
  end
  local exposure = add(a.exposure, sub(worst, c.hold))
  local wanted = less(c.overdraft, exposure) and worst or c.hold
  if less(room, wanted) then return room, room end
  if equal(wanted, c.hold) then return wanted, worst end
  return wanted, wanted
end

local function held(hold, worst) return answer(OK, encode('>i8i8', hold, worst)) end

define('reserve', function()
  enter()
  local id, accounts_max = substring(ARGV[2], 17), parse('>d', ARGV[6])
  local has_key, key, window, first, last, limit, hold, minimum, worst, overdraft, tokens, day, owner, requests_a_minute, tokens_a_minute,
    concurrency, key_requests_a_minute, key_tokens_a_minute, key_concurrency, ttl, retry, entries_max, keys_max, free_a_minute, free_a_day =
    decode(COMMAND, ARGV[3])
  check(limit, hold, minimum, worst, overdraft)
  local c = {hold = hold, minimum = minimum, worst = worst, overdraft = overdraft, retry = retry}
  local e = {kind = HELD, fenced = 0, account_metered = 0, key_metered = 0, has_key = has_key, key = key, window = window, first = first,
    last = last, limit = limit, tokens = tokens, day = day, owner = owner, time = now + ttl}
  local found = call('HMGET', KEYS[6], 'a', 'e' .. id, 'k' .. key)
  local a, known, k = account_of(found[1]), entry_of(found[2]), nil
  if a.fresh and call('SCARD', KEYS[5]) >= accounts_max then finish(FULL, '\0') end
  show(a)
  local new_key = false
  if e.has_key == 1 then
    if found[3] then
      k = key_of(found[3])
    elseif a.keys < keys_max then
      if ARGV[4] == '' or ARGV[5] ~= whole(epoch) then finish(NEED_KEYS) end
      k, new_key = adopt(ARGV[4], a.position), true
      a.keys = a.keys + 1
    end
  end
  -- What is first seen stays known, whatever comes of the request. It is whole by itself, so it may be written before the rest is decided.
  if a.fresh or new_key then
    if a.fresh then call('SADD', KEYS[5], substring(ARGV[2], 1, 16)) end
    save(a, new_key and k or nil, e.key)
    ticked()
  end
  if known then
    if known.kind == HELD then return held(known.amount, known.worst) end
    if known.kind == PENDING then return held(known.amount, known.amount) end
    return answer(ENDED)
  end
  if a.entries >= entries_max then return answer(FULL, '\1') end
  if e.has_key == 1 and not k then return answer(FULL, '\2') end
  local refused
  hold, worst = granted(a, k, e, c)
  refused = worst
  local taken, key_taken
  if hold then
    taken, refused = rates_taken(BY_ACCOUNT, a, requests_a_minute, tokens_a_minute, concurrency, tokens, retry)
  end
  if taken and k then
    key_taken, refused = rates_taken(BY_KEY, k, key_requests_a_minute, key_tokens_a_minute, key_concurrency, tokens, retry)
  end
  local free
  if free_a_minute >= 0 and taken and (key_taken or not k) then free, refused = free_taken(free_a_minute, free_a_day) end
  if not hold or not taken or (k and not key_taken) or (free_a_minute >= 0 and not free) then return answer(REFUSED, refused) end
  e.amount, e.worst = hold, worst
  e.account_metered, e.key_metered = taken.tokens and 1 or 0, (key_taken and key_taken.tokens) and 1 or 0
  e.is_free = free and true or false
  change(a, k, e.day, hold, ZERO, sub_saturating(worst, hold), 1)
  a.requests, a.tokens, a.entries = taken.requests or a.requests, taken.tokens or a.tokens, a.entries + 1
  if k then k.requests, k.tokens = key_taken.requests or k.requests, key_taken.tokens or k.tokens end
  if free then
    save(a, k, e.key, 'e' .. id, entry_blob(e), 'f', free_blob(free))
  else
    save(a, k, e.key, 'e' .. id, entry_blob(e))
  end
  call('ZADD', KEYS[2], e.time, ARGV[2])
  ticked()
  show(a)
  return held(hold, worst)
end)
