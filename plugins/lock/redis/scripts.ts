/**
 * What is done to locks, each in one step of Redis. A lock is a key with its holder's token as value, which ends by itself.
 * The number of the last fence is one key for all names, so that none is left behind for each; beside it, the clock sees to it that a
 * Redis that has lost its keys does not begin again below.
 */

/** Keys: the lock, the fence; arguments: token, milliseconds to hold it, the longest hold of all. Answers `[fence]`, or `["", ms]`: worth another try then. */
export const ACQUIRE = `
local born = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')) * 1000
-- Seconds are counted by their beginnings: one that was counted may not be over.
local strange = tonumber(ARGV[3]) + 1000 - born
if strange > 0 then return {'', strange} end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {'', redis.call('PTTL', KEYS[1])}
end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], fence)
return {fence}
`;

/** Key: the lock; arguments: token, milliseconds. Answers 1, or 0: somebody else has it, or nobody. */
export const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** Key: the lock; arguments: token, the channel that tells of free locks, the lock's name. Answers 1, or 0. */
export const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
`;
