/** What pages of long lists cost over S3. */

import { createRegistry } from "../../server/registry/registry.ts";
import { parseRepositoryName } from "../../server/oci/name.ts";
import { catalogKey, tagKey } from "../../server/registry/keys.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { FaultyProxy } from "../support/faulty_proxy.ts";
import { hasProgram } from "../support/programs.ts";
import { S3_PROGRAM, startS3 } from "../support/s3_server.ts";
import { openS3 } from "../support/s3_store.ts";

const ENTRIES = 100_000;
const NAME = parseRepositoryName("library/app");

function entry(index: number): string {
  return `v${String(index).padStart(6, "0")}`;
}

/** Makes objects as the server keeps them: lists tell nothing of what is in them. */
function writeObjects(folder: string, keys: readonly string[]): void {
  for (const parent of new Set(keys.map((key) => key.slice(0, key.lastIndexOf("/"))))) {
    Deno.mkdirSync(`${folder}/${parent}`, { recursive: true });
  }
  for (const key of keys) Deno.openSync(`${folder}/${key}`, { write: true, create: true }).close();
}

Deno.test({
  name: "A page of 100,000 tags or repositories costs what the page costs (versitygw)",
  ignore: !hasProgram(S3_PROGRAM),
  fn: async (t) => {
    await using s3 = await startS3();
    const indexes = Array.from({ length: ENTRIES }, (_, index) => index);
    writeObjects(s3.bucketFolder, indexes.map((index) => tagKey(NAME, entry(index))));
    writeObjects(s3.bucketFolder, indexes.map((index) => catalogKey(`team/${entry(index)}`)));
    await using proxy = new FaultyProxy(s3.endpoint);
    const { tags, catalog } = await createRegistry(await openS3({ ...s3, endpoint: proxy.endpoint }), {
      openUploadsMax: 10,
    });
    const last = entry(ENTRIES / 2);
    const expected = indexes.slice(ENTRIES / 2 + 1, ENTRIES / 2 + 101).map(entry);

    await t.step("of tags", async () => {
      proxy.forget();
      const page = await tags.list(NAME, { limit: 100, last });
      assertEquals({ ...page, entries: page.entries as readonly string[] }, {
        entries: expected,
        more: true,
      });
      requireOneList(proxy, 101);
    });

    await t.step("of repositories", async () => {
      proxy.forget();
      const page = await catalog.list({ limit: 100, last: `team/${last}` });
      assertEquals(page.entries as readonly string[], expected.map((name) => `team/${name}`));
      requireOneList(proxy, 101);
    });

    await t.step("all of them, in as many requests as they have pages", async () => {
      proxy.forget();
      let found = 0;
      for (let after: string | undefined, more = true; more;) {
        const page = await tags.list(
          NAME,
          after === undefined ? { limit: 999 } : { limit: 999, last: after },
        );
        found += page.entries.length;
        after = page.entries.at(-1);
        more = page.more;
      }
      assertEquals(found, ENTRIES);
      assertEquals(proxy.counts(), { ListObjectsV2: Math.ceil(ENTRIES / 999) });
    });
  },
});

/** The store was asked once, for so many keys. */
function requireOneList(proxy: FaultyProxy, keys: number): void {
  assertEquals(proxy.counts(), { ListObjectsV2: 1 });
  const [request] = proxy.requests;
  assert(request!.target.includes(`max-keys=${keys}`), request!.target);
}
