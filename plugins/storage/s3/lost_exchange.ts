/** A try that got no answer; nothing of it may have reached the store. */
export class LostExchange extends Error {
  /** Whether the store may have seen the request. */
  readonly isSent: boolean;

  /** An error whose `message` says what happened to the connection. */
  constructor(message: string, { isSent, cause }: { readonly isSent: boolean; readonly cause?: unknown }) {
    super(message, { cause });
    this.name = "LostExchange";
    this.isSent = isSent;
  }

  /** Whether another try would fail in the same way: a certificate is refused, or the connection is not allowed. */
  get isHopeless(): boolean {
    return /certificate|Requires net access|ports? \d+ (?:is|are) blocked/i.test(this.message);
  }
}
