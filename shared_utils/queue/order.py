"""The order in the queue: first jobs of new clips, then further runs; within both, first come, first served.

A clip that was just recorded never waits behind thousands of further runs. It is one list all the same, as others know
it: a first job, which its id gives away, is put behind the last one of its kind instead of at the end.
"""

from __future__ import annotations

from shared_utils.queue.names import FIRST_JOB

_PLACE = """
local function is_first(id) return string.sub(id, 1, #FIRST) == FIRST end
local function place(key, id, front)
    local tail = redis.call('LINDEX', key, -1)
    if is_first(id) then
        if front then return redis.call('LPUSH', key, id) end
        if not tail or is_first(tail) then return redis.call('RPUSH', key, id) end
    elseif not front then
        return redis.call('RPUSH', key, id)
    end
    local at, last = 0, nil
    repeat  -- first jobs are at the head; one of a further run between them does no harm
        local found = false
        for _, one in ipairs(redis.call('LRANGE', key, at, at + 99)) do
            if is_first(one) then last, found = one, true end
        end
        at = at + 100
    until not found
    if last then return redis.call('LINSERT', key, 'AFTER', last, id) end
    return redis.call('LPUSH', key, id)
end
""".replace("FIRST", f"'{FIRST_JOB}'")
PUSH = f"{_PLACE} return place(KEYS[1], ARGV[1], ARGV[2] == '1')"
"""Script: keys: the list; arguments: the job's id, and 1 for before all others of its kind."""
ENQUEUE_NEW = f"""{_PLACE}
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
place(KEYS[1], ARGV[1], false)  -- first: where the list is none, nothing is left of the job either
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
return 1
"""
"""Script: keys: the list, the job's hash; arguments: the job's id, then fields and values of the hash. Returns 0 where
there is such a job already."""
_COUNT_NEW = """
local at, count = 0, 0
repeat
    local found = false
    for _, one in ipairs(redis.call('LRANGE', KEYS[1], at, at + 999)) do
        if string.sub(one, 1, #ARGV[1]) == ARGV[1] then count, found = count + 1, true end
    end
    at = at + 1000
until not found
return count
"""


def count_new(key: str) -> tuple[str, int, str, str]:
    """Return the arguments of ``EVAL`` that count the first jobs of new clips in the list `key`."""
    return _COUNT_NEW, 1, key, FIRST_JOB
