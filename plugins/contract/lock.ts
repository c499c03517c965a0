/**
 * The lock contract: locks by name, which end by themselves.
 *
 * **Names** are 1 to 2,048 characters of printable ASCII without space.
 *
 * **One holder.** Of all that ask for a name, whatever machine they are on, at most one holds it at any time.
 *
 * **Time is the store's.** A lock ends when its time has passed by the store's clock, whether its holder lives, sleeps or
 * is cut off; the clocks of those who ask play no part. So a holder may learn late that it holds nothing any more: what it changes
 * must end by itself within what is left of the hold (`withinMs` of the storage contract), or be told from the work of its
 * successors by the fence.
 *
 * **Fences** are whole numbers below 2^53. Each acquisition of a name has a greater one than those before it, also after a
 * store has lost its memory.
 *
 * **A store that has lost its memory** gives nobody a lock before all that it may have given before have ended.
 *
 * **Tokens** tell one hold from all others. Who comes with the token of a hold that has ended is told `false`, and changes
 * nothing for its successors.
 *
 * **Waiting.** Who waits is woken when the lock may be free, and does not merely look again now and then. Of those that wait in one process the
 * first comes first; between processes chance may decide.
 *
 * **Unknown outcomes.** `unavailable` means that the call had no effect, or one that ends with the time that was asked for.
 * It comes within seconds: where the store is away, nobody waits for it to come back.
 *
 * @module
 */

/** How a lock is asked for. */
export interface LockRequest {
  /** How long it is held if it is not renewed: 1 to `LOCK_TTL_MS_MAX`. The store may give less time. */
  readonly ttlMs: number;
  /** How long to wait for it: 0 to `LOCK_WAIT_MS_MAX`. 0: it is free, or the answer is no. */
  readonly waitMs: number;
}

/** A lock that somebody holds. */
export interface HeldLock {
  /** Shows who holds it: a secret between the holder and the store. */
  readonly token: string;
  /** Greater than that of every hold of the name before. */
  readonly fence: number;
  /** How long it is held: what was asked for, or less. It counts from a moment after the call began. */
  readonly ttlMs: number;
}

/** Locks. Every method may throw `PluginError`; none throws for a lock that somebody else has. */
export interface Lock {
  /** The lock, or `undefined` where somebody else held it all the while. */
  acquire(name: string, request: LockRequest): Promise<HeldLock | undefined>;

  /** Holds it for `ttlMs` from now, or for less, as `acquire` said. `false`: it is not held any more. */
  renew(name: string, token: string, ttlMs: number): Promise<boolean>;

  /** Ends the hold, and wakes who waits. `false`: it had ended already. */
  release(name: string, token: string): Promise<boolean>;
}

/** The contract's method names: the wire's allow-list. */
export const LOCK_METHODS = ["acquire", "renew", "release"] as const satisfies readonly (keyof Lock)[];

/** The longest that a lock may be held without renewal, in milliseconds. */
export const LOCK_TTL_MS_MAX = 600_000;

/** The longest that a call may wait for a lock, in milliseconds. */
export const LOCK_WAIT_MS_MAX = 20_000;
