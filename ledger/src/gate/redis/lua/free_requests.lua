-- Requests to free models of today.
define('free_requests', function()
  enter()
  return answer(OK, pack('>I4', used_on(free_of(call('HGET', KEYS[6], 'f')), today())))
end, WHERE_MEMORY_IS_FULL)
