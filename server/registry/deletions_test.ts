/** Deletions of a manifest that meet pushes of the same, and others like them; each replica has started before. */

import type { Storage } from "../../plugins/contract/storage.ts";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { gated, openReplica, openShared, stopAt } from "../../tests/support/shared_memory.ts";
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from "../oci/media_type.ts";
import type { OciError } from "../oci/error.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { parseTag, type Tag } from "../oci/reference.ts";
import { digestBytes } from "./hash.ts";
import { manifestKey } from "./keys.ts";
import type { Registry } from "./registry.ts";

const NAME = parseRepositoryName("library/app");
const [V1, V2] = [parseTag("v1", "MANIFEST_INVALID"), parseTag("v2", "MANIFEST_INVALID")];
const SUBJECT = digestBytes("sha256", new TextEncoder().encode("a subject"));
const BYTES = new TextEncoder().encode(JSON.stringify({
  schemaVersion: 2,
  manifests: [],
  subject: { mediaType: OCI_IMAGE_MANIFEST, digest: SUBJECT, size: 9 },
}));
const DIGEST = digestBytes("sha256", BYTES);
const MANIFEST_KEY = manifestKey(NAME, DIGEST);

async function push({ manifests }: Registry, tag: Tag): Promise<void> {
  await manifests.put(NAME, { bytes: BYTES, tags: [tag], contentType: OCI_IMAGE_INDEX });
}

function remove({ manifests }: Registry): Promise<boolean> {
  return manifests.delete(NAME, DIGEST);
}

/** A view of the store whose user is killed once it has deleted the manifest. */
function mortal(storage: Storage): Storage {
  let isDead = false;
  return gated(storage, (verb, key) => {
    if (isDead) throw new Error("it was killed");
    isDead = verb === "delete" && key === MANIFEST_KEY;
    return Promise.resolve();
  });
}

/** A view of the store whose user has deleted the object, `reached` the next call, and makes that once it is to `goOn`. */
function stopAfter(storage: Storage, deleted: string) {
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isGone = false;
  const view = gated(storage, async (verb, key) => {
    if (isGone) {
      reached.resolve();
      await released.promise;
    }
    isGone ||= verb === "delete" && key === deleted;
  });
  return { view, reached: reached.promise, goOn: released.resolve };
}

/** The tags that are there. */
async function tagsOf({ tags }: Registry): Promise<readonly Tag[]> {
  return (await tags.list(NAME, { limit: 10 })).entries;
}

Deno.test("delete() takes the tags that an earlier deletion left, since the manifest was pushed for another one", async () => {
  const storage = await openShared();
  const registry = await openReplica(storage);
  await push(registry, V1);
  // It has deleted the manifest, and looks where its tag points to.
  const { view, reached, goOn } = stopAfter(storage, MANIFEST_KEY);
  const deleted = remove(await openReplica(view));
  await reached;
  await push(registry, V2);
  goOn();
  assertEquals([await deleted, await tagsOf(registry)], [true, [V1, V2]]);
  assertEquals([await remove(registry), await tagsOf(registry)], [true, []]);
});

Deno.test("recover() has the tags known that a deletion left which died, where the manifest was pushed for another one", async () => {
  const storage = await openShared();
  const registry = await openReplica(storage);
  await push(registry, V1);
  const killed = await openReplica(mortal(storage));
  await assertRejects(() => remove(killed), /killed/);
  await push(registry, V2);
  await openReplica(storage);
  assertEquals(await tagsOf(registry), [V1, V2]);
  assertEquals([await remove(registry), await tagsOf(registry)], [true, []]);
});

Deno.test("delete() ends what another has begun that was faster, and died", async () => {
  const storage = await openShared();
  const registry = await openReplica(storage);
  await push(registry, V1);
  const { view, reached, goOn } = stopAt(storage, "put", "deletions/");
  const deleted = remove(await openReplica(view));
  await reached;
  const killed = await openReplica(mortal(storage));
  await assertRejects(() => remove(killed), /killed/);
  goOn();
  assertEquals([await deleted, await tagsOf(registry)], [false, []]);
  assertEquals(await storage.list("deletions/", { limit: 10 }), []);
});

Deno.test("put() keeps its manifest under its subject, though a deletion ends between what it stores", async () => {
  const storage = await openShared();
  const registry = await openReplica(storage);
  await push(registry, V1);
  const first = stopAt(storage, "get", "/_referrers/");
  const deleted = remove(await openReplica(first.view));
  await first.reached;
  const second = stopAt(storage, "put", MANIFEST_KEY);
  const pushed = push(await openReplica(second.view), V2);
  await second.reached;
  first.goOn();
  assert(await deleted);
  second.goOn();
  await pushed;
  const { entries } = await registry.referrers.list(NAME, SUBJECT, { limit: 10 });
  assertEquals(entries.map(({ digest }) => digest), [DIGEST]);
});

Deno.test("delete() of a manifest takes a tag that was pointed to it while another deleted that tag", async () => {
  const storage = await openShared();
  const registry = await openReplica(storage);
  for (const tag of [V1, V2]) await push(registry, tag);
  let isBack = false;
  const pushAgain = async () => {
    isBack = true;
    await push(registry, V2);
  };
  const other = await openReplica(gated(storage, async (verb, key) => {
    if (verb === "delete" && key.includes("/_tagged/")) await pushAgain();
  }));
  assert(await other.tags.delete(NAME, V2));
  if (!isBack) await pushAgain();
  assertEquals([await remove(registry), await tagsOf(registry)], [true, []]);
});

Deno.test("delete() takes no immutable tag that was set after it had looked for such tags", async () => {
  const rules = {
    isImmutable: (_: string, tag: Tag) => tag === V2,
    hasImmutable: () => true,
    allowsDelete: () => true,
  };
  for (const part of ["/_manifests/", "/_tags/", "/_tagged/", "deletions/"]) {
    for (const verb of ["get", "list", "put", "delete"]) {
      const storage = await openShared();
      const registry = await openReplica(storage, { rules });
      await push(registry, V1);
      await push(registry, V1);
      // Not while it starts.
      let isPushed = true;
      const other = await openReplica(
        gated(storage, async (called, key) => {
          if (isPushed || called !== verb || !key.includes(part)) return;
          isPushed = true;
          await push(registry, V2);
        }),
        { rules },
      );
      isPushed = false;
      const deleted = await other.manifests.delete(NAME, DIGEST).catch((error: OciError) => error.code);
      const isThere = await registry.manifests.get(NAME, { tag: V2 }) !== undefined;
      assertEquals(isThere, isPushed, `${verb} ${part}: ${deleted}`);
    }
  }
});
