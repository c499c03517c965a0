/** Whether and when a request is tried again. */

/** What is known of a try that failed in passing. */
export interface FailedTry {
  /** How many tries there were: 1 and more. */
  readonly tries: number;
  /** What the store's Retry-After says, if it does. */
  readonly retryAfter?: string | null;
  /** How much of the request's time is left. */
  readonly leftMs: number;
}

const DELAY_MS_MIN = 50;
const DELAY_MS_MAX = 5_000;
const TOKENS_MAX = 500;
const RETRY_TOKENS = 5;

/**
 * Gives out retries: each with more delay than the one before, all of it at random, so that those who failed together do
 * not come back together; and no more than what a store that mostly works needs, so that a broken one is not asked many
 * times over: a retry takes five tokens, a success gives one back.
 */
export class Retries {
  #tokens = TOKENS_MAX;

  /** How many milliseconds to wait before the next try; `undefined`: there is none. */
  delay({ tries, retryAfter, leftMs }: FailedTry): number | undefined {
    const longest = Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** (tries - 1));
    const delayMs = Math.max(Math.random() * longest, parseRetryAfter(retryAfter));
    if (delayMs > leftMs || this.#tokens < RETRY_TOKENS) return undefined;
    this.#tokens -= RETRY_TOKENS;
    return delayMs;
  }

  /** A try succeeded. */
  succeed(): void {
    this.#tokens = Math.min(this.#tokens + 1, TOKENS_MAX);
  }
}

/** Milliseconds of seconds or a date (RFC 9110, section 10.2.3); 0 of what is neither. */
function parseRetryAfter(text: string | null | undefined): number {
  if (!text) return 0;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Math.max(ms, 0) || 0;
}

const PASSING_STATUSES = [429, 500, 502, 503, 504];
const PASSING_CODES = [
  "OperationAborted",
  "ConditionalRequestConflict",
  "RequestTimeout",
  "SlowDown",
  // A store on a file system: the folder was being removed because it was empty.
  "ExistingObjectIsDirectory",
  // The body did not arrive as it was sent.
  "BadDigest",
  "IncompleteBody",
  "XAmzContentSHA256Mismatch",
];

/** Whether what the store answered may be another answer soon. */
export function isPassing(status: number, code: string | undefined): boolean {
  return PASSING_STATUSES.includes(status) ||
    (status >= 400 && code !== undefined && PASSING_CODES.includes(code));
}
