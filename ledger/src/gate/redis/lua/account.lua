-- What an account's hash holds, and the steps every function shares. Fields: 'a' the sums, 'k'<key> a key,
-- 'e'<request> an entry. Layouts are `encode.rs`; transitions are `protocol/account`, step by step.
-- **A function reads, decides in local variables, and writes last**: an error leaves nothing half done. What is written before (a key
-- first seen, one hold of many) is whole by itself.
-- The byte of an entry that says whether it counts for the account's tokens has 2 added where it counts as free: builds before that
-- read it, too.
local ACCOUNT = '>i8I8i8i8i8I4I4I4dddddd'
local ENTRY = '>BBBBBc16i4i8i8c16dBi4i4i8d'
local KEY, KEY_BYTES = '>i8Bi4i8i8I4dddddd', 81
local DAY, DAY_HALVES, DAY_BYTES, DAYS_KEPT = '>i4i8I8i8i8', '>i4i4I4I4I4i4I4i4I4', 36, 64
local HELD, PENDING, EXPIRED = 1, 2, 3

-- `member` begins with an account's id.
local function account_key(prefix, member)
  local hex = string.gsub(substring(member, 1, 16), '.', function(byte) return format('%02x', string.byte(byte)) end)
  return prefix .. hex
end

local function account_of(blob)
  if not blob then
    return {posted = ZERO, position = ZERO, pending = ZERO, held = ZERO, exposure = ZERO, live = 0, entries = 0, keys = 0,
      requests = {0, 0, 0}, tokens = {0, 0, 0}, fresh = true}
  end
  local posted, position, pending, held, exposure, live, entries, keys, r1, r2, r3, t1, t2, t3 = decode(ACCOUNT, blob)
  check(posted, position, pending, held, exposure)
  return {posted = posted, position = position, pending = pending, held = held, exposure = exposure, live = live, entries = entries,
    keys = keys, requests = {r1, r2, r3}, tokens = {t1, t2, t3}}
end

local function account_blob(a)
  local requests, tokens = a.requests, a.tokens
  return encode(ACCOUNT, a.posted, a.position, a.pending, a.held, a.exposure, a.live, a.entries, a.keys, requests[1], requests[2],
    requests[3], tokens[1], tokens[2], tokens[3])
end

local function show(a) posted_shown, pending_shown, held_shown = a.posted, a.pending, a.held end

local function entry_of(blob)
  if not blob then return nil end
  local kind, fenced, metered, key_metered, has_key, key, day, amount, worst, owner, time, window, first, last, limit, tokens =
    decode(ENTRY, blob)
  check(amount, worst, limit)
  return {kind = kind, fenced = fenced, account_metered = metered % 2, is_free = metered >= 2, key_metered = key_metered,
    has_key = has_key, key = key, day = day, amount = amount, worst = worst, owner = owner, time = time, window = window,
    first = first, last = last, limit = limit, tokens = tokens}
end

local function entry_blob(e)
  local metered = e.account_metered + (e.is_free and 2 or 0)
  return encode(ENTRY, e.kind, e.fenced, metered, e.key_metered, e.has_key, e.key, e.day, e.amount, e.worst, e.owner, e.time, e.window,
    e.first, e.last, e.limit, e.tokens)
end

local function key_of(blob)
  local folded, has_folded, before, pending, held, live, r1, r2, r3, t1, t2, t3 = decode(KEY, blob)
  check(folded, pending, held)
  return {folded = folded, has_folded = has_folded, folded_before = before, pending = pending, held = held, live = live,
    requests = {r1, r2, r3}, tokens = {t1, t2, t3}, days = substring(blob, KEY_BYTES + 1)}
end

local function key_blob(k)
  local requests, tokens = k.requests, k.tokens
  return encode(KEY, k.folded, k.has_folded, k.folded_before, k.pending, k.held, k.live, requests[1], requests[2], requests[3],
    tokens[1], tokens[2], tokens[3]) .. k.days
end

local function day_at(k, index)
  local day, posted, position, pending, held = decode(DAY, k.days, index * DAY_BYTES + 1)
  check(posted, position, pending, held)
  return {day = day, posted = posted, position = position, pending = pending, held = held}
end

local function day_blob(d) return encode(DAY, d.day, d.posted, d.position, d.pending, d.held) end

local function put_day(k, index, d)
  k.days = substring(k.days, 1, index * DAY_BYTES) .. day_blob(d) .. substring(k.days, (index + 1) * DAY_BYTES + 1)
end

local function days_of(k) return #k.days / DAY_BYTES end

-- The oldest day goes if nothing of it is in flight; says how many went.
local function fold_oldest(k)
  local oldest = day_at(k, 0)
  local folded = add_fitting(k.folded, oldest.posted)
  if not folded or not equal(oldest.held, ZERO) or not equal(oldest.pending, ZERO) then return 0 end
  k.folded, k.has_folded, k.folded_before = folded, 1, oldest.day + 1
  k.days = substring(k.days, DAY_BYTES + 1)
  return 1
end

-- Where a day stands, from 0; it is put there if it is new.
local function day_index(k, day)
  local index = days_of(k)
  while index > 0 do
    local known = parse('>i4', k.days, (index - 1) * DAY_BYTES + 1)
    if known == day then return index - 1 end
    if known < day then break end
    index = index - 1
  end
  local fresh = day_blob({day = day, posted = ZERO, position = ZERO, pending = ZERO, held = ZERO})
  k.days = substring(k.days, 1, index * DAY_BYTES) .. fresh .. substring(k.days, index * DAY_BYTES + 1)
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
      local ph, pl = parse('>i4I4', k.days, index * DAY_BYTES + 5)
      spent_high, spent_low = spent_high + ph, spent_low + pl
    end
    return add(add(sum(spent_high, spent_low), k.folded), k.pending), k.held
  end
  for index = days_of(k) - 1, 0, -1 do
    local day, ph, pl, _, _, eh, el, hh, hl = parse(DAY_HALVES, k.days, index * DAY_BYTES + 1)
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
  local blob = call('HGET', account_key, 'k' .. e.key)
  return blob and key_of(blob) or error('a key of an entry is missing')
end

-- Writes the sums, a key and more fields with their values, all in one command.
local function save(a, k, key_id, ...)
  if k then
    call('HSET', KEYS[6], 'a', account_blob(a), 'k' .. key_id, key_blob(k), ...)
  else
    call('HSET', KEYS[6], 'a', account_blob(a), ...)
  end
end
