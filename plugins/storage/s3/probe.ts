import { PluginError } from "../../contract/error.ts";
import type { Bucket } from "./bucket.ts";

const NOBODYS_ETAG = '"00000000000000000000000000000000"';
const BYTES = new TextEncoder().encode("sreg");

/**
 * Whether the store holds writers to `If-None-Match` and `If-Match`, and deleters to `If-Match`: some ignore them, some refuse them.
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
      await bucket.put(key, [BYTES], { ifMatch: etag }).catch(unlessFailed) !== undefined &&
      await isDeleteRefused(bucket, key);
  } finally {
    await bucket.delete(key);
  }
}

async function isRefused(put: Promise<string | undefined>): Promise<boolean> {
  return await put.catch(unlessFailed) === undefined;
}

async function isDeleteRefused(bucket: Bucket, key: string): Promise<boolean> {
  await bucket.delete(key, { ifMatch: NOBODYS_ETAG }).catch(unlessFailed);
  return await bucket.head(key) !== undefined;
}

/** A store that does not know a condition may refuse the request altogether. */
function unlessFailed(error: unknown): undefined {
  if (!(error instanceof PluginError) || error.code !== "failed") throw error;
}
