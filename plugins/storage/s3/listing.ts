import type { Bucket } from "./bucket.ts";

/** Which keys are listed. */
export interface Listing {
  /** What all of the store's keys begin with in the bucket. */
  readonly root: string;
  /** What the keys wanted begin with. */
  readonly prefix: string;
  readonly after: string | undefined;
  readonly limit: number;
}

/** Keys that begin so are the plugin's own. */
const OWN = ":";
/** Sorts after all of them. */
const AFTER_OWN = ":~";

/**
 * The store's keys, in byte order, and whether S3 says that any follow, be it the plugin's own. A page of S3's follows the last
 * key of the one before: no marker of the store's is trusted.
 */
export async function listPage(
  bucket: Bucket,
  { root, prefix, after, limit }: Listing,
): Promise<{ readonly keys: string[]; readonly more: boolean }> {
  const keys: string[] = [];
  let start = after;
  for (;;) {
    const page = await bucket.list(root + prefix, {
      after: start === undefined ? undefined : root + start,
      limit: limit - keys.length,
    });
    const found = page.keys.map((key) => key.slice(root.length));
    keys.push(...found.filter((key) => !key.startsWith(OWN)));
    if (!page.more || keys.length >= limit) return { keys, more: page.more };
    const last = found.at(-1)!;
    start = last.startsWith(OWN) ? AFTER_OWN : last;
  }
}
