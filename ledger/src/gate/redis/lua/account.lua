-- What an account's hash holds, and the steps every script shares. Fields: 'a' the sums, 'k'<key> a key,
-- 'e'<request> an entry. Layouts are `encode.rs`; transitions are `protocol/account`, step by step.
-- **A script reads, decides in local variables, and writes last**: an error leaves nothing half done. What is written before (a key
-- first seen, one hold of many) is whole by itself.
-- The byte of an entry that says whether it counts for the account's tokens has 2 added where it counts as free: builds before that
-- read it, too.
-- KEYS 1 gate, 2 due, 3 pending, 4 tombstones, 5 accounts, 6 the account.
local ACCOUNT = '>i4I4I4I4i4I4i4I4i4I4I4I4I4dddddd'
local ENTRY = '>BBBBBc16i4i4I4i4I4c16dBi4i4i4I4d'
local KEY, KEY_BYTES = '>i4I4Bi4i4I4i4I4I4dddddd', 81
local DAY, DAY_BYTES, DAYS_KEPT = '>i4i4I4I4I4i4I4i4I4', 36, 64
local HELD, PENDING, EXPIRED = 1, 2, 3
-- Answers: `decode.rs` has the same codes.
local OK, CLOSED, WENT_BACK, NEED_KEYS, OVERFLOWED, NO_HOLD, ENDED, FULL, REFUSED, SUPERSEDED = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9

-- Of this call: the gate's clock, epoch and tick, and the account's amounts as they are answered.
local now, epoch, tick, posted_shown, pending_shown, held_shown = 0, 0, 0, 0, 0, 0

local function answer(code, detail)
  return struct.pack('>Bdddi4I4i4I4i4I4', code, now, epoch, tick, high(posted_shown), low(posted_shown), high(pending_shown),
    low(pending_shown), high(held_shown), low(held_shown)) .. (detail or '')
end

-- Ends the script with an answer, from any depth. Nothing may have been written before.
local function finish(code, detail) error({answer = answer(code, detail)}) end

local function whole(number) return string.format('%.0f', number) end

-- The clock, and whether this shard of the gate is open and not older than what the caller has seen.
local function enter()
  local at, epoch_seen, tick_seen = struct.unpack('>ddd', ARGV[1])
  if at == 0 then
    local time = redis.call('TIME')
    at = tonumber(time[1]) * 1000000 + tonumber(time[2])
  end
  now = at
  local gate = redis.call('HMGET', KEYS[1], 'epoch', 'open', 'tick')
  epoch, tick = tonumber(gate[1] or 0), tonumber(gate[3] or 0)
  if gate[2] ~= '1' or not gate[1] then finish(CLOSED, gate[2] == 'L' and '\1' or '\0') end
  if epoch < epoch_seen or (epoch == epoch_seen and tick < tick_seen) then
    redis.call('HSET', KEYS[1], 'open', '0')
    finish(WENT_BACK)
  end
end

local function ticked() tick = redis.call('HINCRBY', KEYS[1], 'tick', 1) end

local function account_of(blob)
  if not blob then
    return {posted = ZERO, position = ZERO, pending = ZERO, held = ZERO, exposure = ZERO, live = 0, entries = 0, keys = 0,
      requests = {0, 0, 0}, tokens = {0, 0, 0}, fresh = true}
  end
  local ph, pl, nh, nl, eh, el, hh, hl, xh, xl, live, entries, keys, r1, r2, r3, t1, t2, t3 = struct.unpack(ACCOUNT, blob)
  return {posted = amount(ph, pl), position = amount(nh, nl), pending = amount(eh, el), held = amount(hh, hl), exposure = amount(xh, xl),
    live = live, entries = entries, keys = keys, requests = {r1, r2, r3}, tokens = {t1, t2, t3}}
end

local function account_blob(a)
  local requests, tokens = a.requests, a.tokens
  return struct.pack(ACCOUNT, high(a.posted), low(a.posted), high(a.position), low(a.position), high(a.pending), low(a.pending),
    high(a.held), low(a.held), high(a.exposure), low(a.exposure), a.live, a.entries, a.keys, requests[1], requests[2], requests[3],
    tokens[1], tokens[2], tokens[3])
end

local function show(a) posted_shown, pending_shown, held_shown = a.posted, a.pending, a.held end

local function entry_of(blob)
  if not blob then return nil end
  local kind, fenced, metered, key_metered, has_key, key, day, ah, al, wh, wl, owner, time, window, first, last, lh, ll, tokens =
    struct.unpack(ENTRY, blob)
  return {kind = kind, fenced = fenced, account_metered = metered % 2, is_free = metered >= 2, key_metered = key_metered,
    has_key = has_key, key = key, day = day, amount = amount(ah, al), worst = amount(wh, wl), owner = owner, time = time, window = window,
    first = first, last = last, limit = amount(lh, ll), tokens = tokens}
end

local function entry_blob(e)
  local metered = e.account_metered + (e.is_free and 2 or 0)
  return struct.pack(ENTRY, e.kind, e.fenced, metered, e.key_metered, e.has_key, e.key, e.day, high(e.amount), low(e.amount),
    high(e.worst), low(e.worst), e.owner, e.time, e.window, e.first, e.last, high(e.limit), low(e.limit), e.tokens)
end

local function key_of(blob)
  local fh, fl, has_folded, before, eh, el, hh, hl, live, r1, r2, r3, t1, t2, t3 = struct.unpack(KEY, blob)
  return {folded = amount(fh, fl), has_folded = has_folded, folded_before = before, pending = amount(eh, el), held = amount(hh, hl),
    live = live, requests = {r1, r2, r3}, tokens = {t1, t2, t3}, days = string.sub(blob, KEY_BYTES + 1)}
end

local function key_blob(k)
  local requests, tokens = k.requests, k.tokens
  return struct.pack(KEY, high(k.folded), low(k.folded), k.has_folded, k.folded_before, high(k.pending), low(k.pending), high(k.held),
    low(k.held), k.live, requests[1], requests[2], requests[3], tokens[1], tokens[2], tokens[3]) .. k.days
end

local function day_at(k, index)
  local day, ph, pl, nh, nl, eh, el, hh, hl = struct.unpack(DAY, k.days, index * DAY_BYTES + 1)
  return {day = day, posted = amount(ph, pl), position = amount(nh, nl), pending = amount(eh, el), held = amount(hh, hl)}
end

local function day_blob(d)
  return struct.pack(DAY, d.day, high(d.posted), low(d.posted), high(d.position), low(d.position), high(d.pending), low(d.pending),
    high(d.held), low(d.held))
end

local function put_day(k, index, d)
  k.days = string.sub(k.days, 1, index * DAY_BYTES) .. day_blob(d) .. string.sub(k.days, (index + 1) * DAY_BYTES + 1)
end

local function days_of(k) return #k.days / DAY_BYTES end

-- The oldest day goes if nothing of it is in flight; says how many went.
local function fold_oldest(k)
  local oldest = day_at(k, 0)
  local folded = add_fitting(k.folded, oldest.posted)
  if not folded or not equal(oldest.held, ZERO) or not equal(oldest.pending, ZERO) then return 0 end
  k.folded, k.has_folded, k.folded_before = folded, 1, oldest.day + 1
  k.days = string.sub(k.days, DAY_BYTES + 1)
  return 1
end

-- Where a day stands, from 0; it is put there if it is new.
local function day_index(k, day)
  local index = days_of(k)
  while index > 0 do
    local known = struct.unpack('>i4', k.days, (index - 1) * DAY_BYTES + 1)
    if known == day then return index - 1 end
    if known < day then break end
    index = index - 1
  end
  local fresh = day_blob({day = day, posted = ZERO, position = ZERO, pending = ZERO, held = ZERO})
  k.days = string.sub(k.days, 1, index * DAY_BYTES) .. fresh .. string.sub(k.days, index * DAY_BYTES + 1)
  if days_of(k) > DAYS_KEPT and index > 0 then return index - fold_oldest(k) end
  return index
end

-- What the ledger has of a key, taken over as of the account's position.
local function adopt(blob, position)
  local k = key_of(blob)
  for index = 0, days_of(k) - 1 do
    local d = day_at(k, index)
    d.position = position
    put_day(k, index, d)
  end
  return k
end

local function post_day(k, day, total, position)
  if k.has_folded == 1 and day < k.folded_before then return false end
  local index = day_index(k, day)
  local d = day_at(k, index)
  if not less(position, d.position) then
    d.posted, d.position = total, position
    put_day(k, index, d)
  end
  return true
end

-- posted + pending and held in a window; window 1 is all of time.
local function in_window(k, window, first, last)
  local spent_high, spent_low, held_high, held_low = 0, 0, 0, 0
  if window == 1 then
    for index = 0, days_of(k) - 1 do
      local ph, pl = struct.unpack('>i4I4', k.days, index * DAY_BYTES + 5)
      spent_high, spent_low = spent_high + ph, spent_low + pl
    end
    return add(add(sum(spent_high, spent_low), k.folded), k.pending), k.held
  end
  for index = days_of(k) - 1, 0, -1 do
    local day, ph, pl, _, _, eh, el, hh, hl = struct.unpack(DAY, k.days, index * DAY_BYTES + 1)
    if day < first then break end
    if day < last then
      spent_high, spent_low = spent_high + ph + eh, spent_low + pl + el
      held_high, held_low = held_high + hh, held_low + hl
    end
  end
  return sum(spent_high, spent_low), sum(held_high, held_low)
end

-- How an entry's going or coming changes the sums of account and key.
local function change(a, k, day, held, pending, exposure, live)
  a.held, a.pending, a.exposure, a.live = add(a.held, held), add(a.pending, pending), add(a.exposure, exposure), a.live + live
  if a.live < 0 then error(OVERFLOW) end
  if not k then return end
  k.held, k.pending, k.live = add(k.held, held), add(k.pending, pending), k.live + live
  if k.live < 0 then error(OVERFLOW) end
  local index = day_index(k, day)
  local d = day_at(k, index)
  d.held, d.pending = add(d.held, held), add(d.pending, pending)
  put_day(k, index, d)
end

-- A live hold goes out of the sums, and `pending` comes in.
local function leave(a, k, e, pending)
  change(a, k, e.day, sub(ZERO, e.amount), pending, sub(ZERO, sub_saturating(e.worst, e.amount)), -1)
end

local function correct_tokens(a, k, e, used)
  if e.account_metered == 1 then a.tokens = correct(a.tokens, e.tokens, used, now) end
  if e.key_metered == 1 and k then k.tokens = correct(k.tokens, e.tokens, used, now) end
end

local function key_of_entry(e, account_key)
  if not e or e.has_key == 0 then return nil end
  local blob = redis.call('HGET', account_key, 'k' .. e.key)
  return blob and key_of(blob) or error('a key of an entry is missing')
end

-- Writes the sums, a key and more fields with their values, all in one command.
local function save(a, k, key_id, ...)
  if k then
    redis.call('HSET', KEYS[6], 'a', account_blob(a), 'k' .. key_id, key_blob(k), ...)
  else
    redis.call('HSET', KEYS[6], 'a', account_blob(a), ...)
  end
end

local function run(main)
  local ok, result = pcall(main)
  if not ok and result == WIDE then
    widen()
    posted_shown, pending_shown, held_shown = ZERO, ZERO, ZERO
    ok, result = pcall(main)
  end
  if ok then return result end
  if result == OVERFLOW then return answer(OVERFLOWED) end
  if type(result) == 'table' and result.answer then return result.answer end
  return error(result)
end
