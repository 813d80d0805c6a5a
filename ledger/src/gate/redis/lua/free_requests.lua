-- Requests to free models of today.
return run(function()
  enter()
  return answer(OK, struct.pack('>I4', used_on(free_of(redis.call('HGET', KEYS[6], 'f')), today())))
end)
