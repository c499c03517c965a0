/** Reading bodies that may stand still. */

/**
 * The chunks of `body`, for each of which `leftMs()` milliseconds are waited at most: then it fails with a `TimeoutError`.
 * Whoever stops reading cancels the body. A signal given to `fetch` does not do: once the head of the answer is there the
 * runtime (Deno 2.9) may forget that the body should be aborted by it.
 */
export async function* chunksWithin(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  leftMs: () => number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let isLate = false;
  const giveUp = () => {
    isLate = true;
    // Ends the read under way, too.
    void reader.cancel().catch(() => {});
  };
  try {
    for (;;) {
      const timer = setTimeout(giveUp, Math.max(leftMs(), 0));
      const result = await reader.read().finally(() => clearTimeout(timer));
      if (isLate) throw new DOMException("No more of the body came in time", "TimeoutError");
      if (result.done) return;
      yield result.value;
    }
  } finally {
    if (!isLate) void reader.cancel().catch(() => {});
  }
}
