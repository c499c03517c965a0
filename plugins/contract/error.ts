/**
 * What a plugin may fail with. Absence is never an error: the contracts answer `undefined` or `false` for it.
 *
 * - `conflict`: a condition of the call does not hold (`ifAbsent`, `ifMatch`, an append's offset); nothing was changed.
 * - `unavailable`: the outside world is gone or full for now; the same call may succeed later.
 * - `failed`: anything else; repeating the call will not help.
 */
export type PluginErrorCode = "conflict" | "unavailable" | "failed";

/** The only error that crosses the wire; anything else a plugin throws arrives as `failed`. */
export class PluginError extends Error {
  /** What kind of failure it is. */
  readonly code: PluginErrorCode;

  /** An error of `code`; `message` is "the attempted action: the state" and goes to the log, never to a client. */
  constructor(code: PluginErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PluginError";
    this.code = code;
  }
}

/** What a call answers, or `undefined` where its condition did not hold. */
export async function unlessConflict<T>(change: Promise<T>): Promise<T | undefined> {
  try {
    return await change;
  } catch (error) {
    if (error instanceof PluginError && error.code === "conflict") return undefined;
    throw error;
  }
}
