import type { Bucket } from "./bucket.ts";

/** Longer than any upload goes on: what is aside belongs to one that ended in the middle of a step. */
const AGE_MAX_MS = 7 * 24 * 60 * 60_000;
const PAGE = 1_000;

/** Removes what crashes have left aside: multipart uploads and objects that nobody remembers. Best effort: the next sweep goes on. */
export async function sweepAside(bucket: Bucket, asidePrefix: string): Promise<void> {
  try {
    for (const { key, id, ageMs } of await bucket.listMultiparts(asidePrefix)) {
      if (ageMs > AGE_MAX_MS && key.startsWith(asidePrefix)) await bucket.abortMultipart(key, id);
    }
    const { keys } = await bucket.list(asidePrefix, { after: undefined, limit: PAGE });
    for (const key of keys) {
      const facts = await bucket.head(key);
      if (facts && facts.modifiedAtMs < Date.now() - AGE_MAX_MS) {
        await bucket.delete(key, { ifMatch: facts.etag });
      }
    }
  } catch (error) {
    console.warn(`Cannot remove what is left aside: ${(error as Error).message}`);
  }
}
