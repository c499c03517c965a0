import { type Bucket, unlessFailed } from "./bucket.ts";

const NOBODYS_ETAG = '"00000000000000000000000000000000"';
const BYTES = new TextEncoder().encode("sreg");

/**
 * Whether the store holds writers to `If-None-Match` and `If-Match`, and deleters to `If-Match`: some ignore them, some refuse requests that have any.
 * Finds out as well whether the bucket can be written, read, and listed.
 */
export async function probeConditions(bucket: Bucket, prefix: string): Promise<boolean> {
  const key = prefix + crypto.randomUUID();
  await bucket.list(prefix, { after: undefined, limit: 1 });
  try {
    const etag = await bucket.put(key, [BYTES], { ifAbsent: true }).catch(unlessFailed) ??
      await bucket.put(key, [BYTES]);
    return await isRefused(bucket.put(key, [BYTES], { ifAbsent: true })) &&
      await isRefused(bucket.put(key, [BYTES], { ifMatch: NOBODYS_ETAG })) &&
      await isDeleteHeld(bucket, key, await bucket.put(key, [BYTES], { ifMatch: etag }).catch(unlessFailed));
  } finally {
    await bucket.delete(key);
  }
}

async function isRefused(put: Promise<string | undefined>): Promise<boolean> {
  return await put.catch(unlessFailed) === undefined;
}

/** Whether a deletion is refused where its condition does not hold, and done where it does. */
async function isDeleteHeld(bucket: Bucket, key: string, etag: string | undefined): Promise<boolean> {
  if (etag === undefined) return false;
  await bucket.delete(key, { ifMatch: NOBODYS_ETAG }).catch(unlessFailed);
  if (!await bucket.head(key)) return false;
  return await bucket.delete(key, { ifMatch: etag }).catch(unlessFailed) ?? false;
}
