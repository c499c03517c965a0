/** What pages of long lists cost over S3. */

import type { ListPage } from "../../plugins/contract/storage.ts";
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
      requireOneList(proxy, 100);
    });

    await t.step("of repositories", async () => {
      proxy.forget();
      const page = await catalog.list({ limit: 100, last: `team/${last}` });
      assertEquals(page.entries as readonly string[], expected.map((name) => `team/${name}`));
      requireOneList(proxy, 100);
    });

    await t.step("all of them, in as many requests as they have pages", async () => {
      proxy.forget();
      let found = 0;
      for (let after: string | undefined, more = true; more;) {
        const page = await tags.list(
          NAME,
          after === undefined ? { limit: 1_000 } : { limit: 1_000, last: after },
        );
        found += page.entries.length;
        after = page.entries.at(-1);
        more = page.more;
      }
      assertEquals(found, ENTRIES);
      assertEquals(proxy.counts(), { ListObjectsV2: Math.ceil(ENTRIES / 1_000) });
    });
  },
});

/** `listPage`s of the store, with what each costs. */
const PAGES: readonly (readonly [page: ListPage, keys: number, more: boolean, requests: number])[] = [
  [{ limit: 1_000 }, 1_000, true, 1],
  [{ limit: 999 }, 999, true, 1],
  [{ limit: 1_000, after: "many/v000499" }, 1_000, true, 1],
  [{ limit: 1_000, after: "many/v011499" }, 1_000, false, 1],
  [{ limit: 1_000, after: "many/v011999" }, 500, false, 1],
  [{ limit: 1_000, after: "many/v012499" }, 0, false, 1],
  [{ limit: 1_001 }, 1_001, true, 2],
  [{ limit: 2_000 }, 2_000, true, 2],
  [{ limit: 2_500, after: "many/v009999" }, 2_500, false, 3],
  [{ limit: 2_501, after: "many/v009999" }, 2_500, false, 3],
  [{ limit: 10_000 }, 10_000, true, 10],
  [{ limit: 10_000, after: "many/v002499" }, 10_000, false, 10],
];

Deno.test({
  name:
    "listPage() asks S3 as often as it has thousands of keys, and not again whether more follow (versitygw)",
  ignore: !hasProgram(S3_PROGRAM),
  fn: async (t) => {
    await using s3 = await startS3();
    const keys = Array.from({ length: 12_500 }, (_, index) => `many/${entry(index)}`);
    writeObjects(s3.bucketFolder, keys);
    await using proxy = new FaultyProxy(s3.endpoint);
    const storage = await openS3({ ...s3, endpoint: proxy.endpoint });
    for (const [page, count, more, requests] of PAGES) {
      await t.step(JSON.stringify(page), async () => {
        proxy.forget();
        const start = page.after === undefined ? 0 : keys.indexOf(page.after) + 1;
        assertEquals(await storage.listPage!("many/", page), {
          keys: keys.slice(start, start + count),
          more,
        });
        assertEquals(proxy.counts(), { ListObjectsV2: requests });
      });
    }
  },
});

Deno.test({
  name: "listPage() of all keys skips the plugin's own, and no page but the last is short (versitygw)",
  ignore: !hasProgram(S3_PROGRAM),
  fn: async () => {
    await using s3 = await startS3();
    const own = Array.from({ length: 1_500 }, (_, index) => `one/:aside/${entry(index)}`);
    writeObjects(s3.bucketFolder, [...own, "one/0/a", "one/0/b", "one/a/a", "one/a/b"]);
    const storage = await openS3(s3, { key_prefix: "one/" });
    for (const limit of [1, 2, 3, 4]) {
      const found: string[] = [];
      for (let more = true, after = ""; more; after = found.at(-1)!) {
        const page = await storage.listPage!("", { limit, after });
        assert(page.keys.length === limit || !page.more, JSON.stringify(page));
        found.push(...page.keys);
        more = page.more;
      }
      assertEquals(found, ["0/a", "0/b", "a/a", "a/b"]);
    }
  },
});

/** The store was asked once, for so many keys. */
function requireOneList(proxy: FaultyProxy, keys: number): void {
  assertEquals(proxy.counts(), { ListObjectsV2: 1 });
  const [request] = proxy.requests;
  assert(request!.target.includes(`max-keys=${keys}`), request!.target);
}
