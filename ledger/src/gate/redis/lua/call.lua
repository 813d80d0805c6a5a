-- One call of a function: what it answers, how it is registered.
-- Answers: `decode.rs` has the same codes.
local OK, CLOSED, WENT_BACK, NEED_KEYS, OVERFLOWED, NO_HOLD, ENDED, FULL, REFUSED, SUPERSEDED = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9

-- The run of this server's process, once a gateway has looked at it. **A server that comes back has its functions, and all of these
-- variables anew**: nothing is authorised on what its disk or its primary gave it before somebody has looked.
local own_run

-- The gate's clock, epoch and tick, and the account's amounts as they are answered.
local now, epoch, tick, posted_shown, pending_shown, held_shown

local function answer(code, detail)
  local head = encode('>Bdddi8i8i8', code, now, epoch, tick, posted_shown, pending_shown, held_shown)
  return detail and head .. detail or head
end

-- Ends the call with an answer, from any depth. Nothing may have been written before.
local function finish(code, detail) error({answer = answer(code, detail)}) end

local function whole(number) return format('%.0f', number) end

local function close(code, detail)
  call('HSET', KEYS[1], 'open', '0')
  finish(code, detail)
end

-- The clock, and whether this shard of the gate is open, was built in this run of the server, and is not older than what the caller
-- has seen.
local function enter()
  local at, epoch_seen, tick_seen = parse('>ddd', ARGV[1])
  if at == 0 then
    local time = call('TIME')
    at = time[1] * 1000000 + time[2]
  end
  now = at
  local gate = call('HMGET', KEYS[1], 'epoch', 'open', 'tick', 'run')
  epoch, tick = tonumber(gate[1] or 0), tonumber(gate[3] or 0)
  if gate[2] ~= '1' or not gate[1] then finish(CLOSED, gate[2] == 'L' and '\1' or '\0') end
  if gate[4] ~= own_run then close(CLOSED, '\0') end
  if epoch < epoch_seen or (epoch == epoch_seen and tick < tick_seen) then close(WENT_BACK) end
end

local function ticked() tick = call('HINCRBY', KEYS[1], 'tick', 1) end

local function register(name, answered, flags)
  redis.register_function{function_name = FUNCTION_PREFIX .. name, flags = flags, callback = function(keys, arguments)
    if not own_run then return redis.error_reply('UNVOUCHED nobody has looked at this server since it was started') end
    KEYS, ARGV = keys, arguments
    return answered()
  end}
end

-- `name` answers what `decide` does. `flags`: what it may do where memory is full (it frees some, or only looks).
local function define(name, decide, flags)
  local function decided()
    now, epoch, tick = 0, 0, 0
    posted_shown, pending_shown, held_shown = ZERO, ZERO, ZERO
    return decide()
  end
  register(name, function()
    -- Only a call that was killed leaves it so.
    if is_wide then narrow() end
    local ok, result = pcall(decided)
    if not ok and result == WIDE then
      widen()
      ok, result = pcall(decided)
    end
    if not ok and result == OVERFLOW then ok, result = true, answer(OVERFLOWED) end
    if is_wide then narrow() end
    if ok then return result end
    if type(result) == 'table' and result.answer then return result.answer end
    return error(result)
  end, flags)
end

local WHERE_MEMORY_IS_FULL = {'allow-oom'}

-- A gateway has looked at the server whose run is ARGV 1. Answers 0 where this is another.
redis.register_function{function_name = FUNCTION_PREFIX .. 'vouch', flags = WHERE_MEMORY_IS_FULL, callback = function(_, arguments)
  if string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') ~= arguments[1] then return 0 end
  own_run = arguments[1]
  bind()
  narrow()
  return 1
end}
