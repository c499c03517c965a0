import { create } from "../../plugins/storage/memory/memory.ts";
import { assertEquals } from "../../tests/support/assert.ts";
import { parseDigest } from "../oci/digest.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { parseTag } from "../oci/reference.ts";
import { TagHistory } from "./tag_history.ts";

const NAME = parseRepositoryName("library/app");
const TAG = parseTag("v1", "MANIFEST_INVALID");
const [A, B, C] = ["a", "b", "c"].map((digit) => parseDigest(`sha256:${digit.repeat(64)}`)) as [
  ReturnType<typeof parseDigest>,
  ReturnType<typeof parseDigest>,
  ReturnType<typeof parseDigest>,
];

async function historyOf(...changes: readonly string[]) {
  const history = new TagHistory(await create({}));
  const digests: Record<string, typeof A> = { A, B, C };
  for (const change of changes) {
    const digest = digests[change[0]!]!;
    await history.add(NAME, TAG, { digest, isDeleted: change.endsWith("deleted") });
  }
  return async (present: typeof A | undefined, setAtMs = Date.now() + 1_000) => {
    const found = await history.list(NAME, TAG, present && { digest: present, setAtMs });
    return found.map(({ digest, isDeleted }) => `${digest[7]!.toUpperCase()}${isDeleted ? " deleted" : ""}`);
  };
}

Deno.test("list() leaves out what was about to happen, and did not", async () => {
  const list = await historyOf("A", "B", "B deleted", "C");
  assertEquals(await list(C), ["C", "B deleted", "B", "A"]);
  assertEquals(await list(undefined), ["B deleted", "B", "A"]);
  assertEquals(await list(B), ["B", "A"]);
  assertEquals(await list(A), ["A"]);
});

Deno.test("list() begins with what a tag points to, whatever is remembered", async () => {
  assertEquals(await (await historyOf())(A), ["A"]);
  assertEquals(await (await historyOf("B", "C"))(A), ["A", "C", "B"]);
  assertEquals(await (await historyOf("B", "C"))(A, 1), ["A"]);
  assertEquals(await (await historyOf())(undefined), []);
});

Deno.test("list() keeps the order of changes that come faster than the clock ticks", async () => {
  const changes = Array.from({ length: 90 }, (_, index) => "ABC"[index % 3]!);
  const list = await historyOf(...changes);
  assertEquals(await list(C), changes.toReversed());
});

Deno.test("forget() removes the history of tags that are gone", async () => {
  const storage = await create({});
  const history = new TagHistory(storage);
  await history.add(NAME, TAG, { digest: A, isDeleted: false });
  await history.forget(NAME, (tag) => Promise.resolve(tag !== TAG));
  assertEquals((await storage.list("", { limit: 10 })).length, 1);
  await history.forget(NAME, (tag) => Promise.resolve(tag === TAG));
  assertEquals(await storage.list("", { limit: 10 }), []);
});
