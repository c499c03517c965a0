import { assert, assertEquals } from "../../tests/support/assert.ts";
import { openReplica, openShared, openTextCache } from "../../tests/support/shared_memory.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { digestBytes } from "./hash.ts";
import { blobKey, dueBytesKey } from "./keys.ts";
import type { Task } from "./task.ts";

const NAME = parseRepositoryName("library/app");
const TEXT = "a layer";
const BLOB = digestBytes("sha256", new TextEncoder().encode(TEXT));

const TASK: Task = {
  signal: new AbortController().signal,
  cursor: undefined,
  report: () => {},
  line: () => Promise.resolve(),
};

Deno.test("url() sends nobody to bytes that a collector has taken aside while their upload ended", async () => {
  const shared = await openShared();
  const storage = Object.assign(shared, { url: (key: string) => Promise.resolve(`https://store/${key}`) });
  const { uploads, blobs, garbage } = await openReplica(storage, openTextCache());
  await storage.put(dueBytesKey(BLOB), new Uint8Array(1));
  const body = new Blob([TEXT]).stream();
  const { session } = await uploads.append(NAME, await uploads.create(NAME), { body });
  await garbage.collect({ graceMs: 3_600_000, dryRun: false }, TASK);
  assert((await uploads.finish(NAME, session, { digest: BLOB })).accepted);
  assertEquals(await blobs.find(NAME, BLOB), { size: TEXT.length });
  const url = await blobs.url(BLOB, { client: "192.0.2.1", mediaType: "text/plain" });
  assertEquals(url, `https://store/${blobKey(BLOB)}`);
  assertEquals((await storage.stat(blobKey(BLOB)))?.size, TEXT.length);
});
