import fc from "fast-check";
import type { Digest } from "../../server/oci/digest.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { APP, DAY_MS, HOUR_MS, Scene } from "./scene.ts";

/** A manifest to be pushed: what it holds is named by its place among those before it. */
interface Step {
  readonly kind: "image" | "index" | "referrer";
  readonly of: readonly number[];
  readonly tags: readonly string[];
  readonly isYoung: boolean;
}

const STEPS: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("image", "index", "referrer"),
    of: fc.array(fc.nat({ max: 20 }), { minLength: 1, maxLength: 3 }),
    tags: fc.subarray(["keep-a", "keep-b", "go-a", "go-b", "go-c"], { maxLength: 2 }),
    isYoung: fc.nat({ max: 9 }).map((value) => value === 0),
  }),
  { minLength: 1, maxLength: 12 },
);

Deno.test("whatever there is: what stays holds nothing that went, and what nothing holds went", async () => {
  await fc.assert(
    fc.asyncProperty(STEPS, fc.constantFrom(undefined, HOUR_MS), async (steps, untaggedAfterMs) => {
      const scene = await Scene.create();
      const pushed = await push(scene, steps.toSorted((a, b) => Number(a.isYoung) - Number(b.isYoung)));
      const before = await relationsOf(scene);
      const tagged = new Set(await digestsOf(scene, await scene.tags()));
      await scene.run({
        rules: ["image.tag.startsWith('keep-')"],
        ...(untaggedAfterMs !== undefined && { untaggedAfterMs }),
      });
      const left = await relationsOf(scene);
      for (const [digest, held] of before) {
        if (!left.has(digest)) continue;
        for (const other of held) assert(left.has(other) || !before.has(other), `${digest} lost ${other}`);
      }
      for (const tag of await scene.tags()) {
        assert((await digestsOf(scene, [tag]))[0], `${tag} is to nothing`);
      }
      const kept = await digestsOf(scene, (await scene.tags()).filter((tag) => tag.startsWith("keep-")));
      const young = pushed.filter(({ isYoung }) => isYoung).map(({ digest }) => digest);
      if (young.length > 0) return;
      const loose = untaggedAfterMs === undefined
        ? [...before.keys()].filter((digest) => !tagged.has(digest))
        : [];
      const reached = reach(before, [...kept, ...loose]);
      for (const digest of left.keys()) assert(reached.has(digest), `${digest} stayed for no reason`);
      if (untaggedAfterMs !== undefined) assertEquals(new Set(left.keys()), reach(before, kept));
    }),
    { numRuns: 300 },
  );
});

async function push(scene: Scene, steps: readonly Step[]) {
  const pushed: { readonly digest: Digest; readonly isYoung: boolean }[] = [];
  let aged = false;
  for (const [index, { kind, of, tags, isYoung }] of steps.entries()) {
    if (isYoung && !aged) {
      await scene.age(DAY_MS);
      aged = true;
    }
    const held = pushed.length === 0 ? [] : of.map((place) => pushed[place % pushed.length]!.digest);
    const text = `image ${index}`;
    const digest = kind === "index"
      ? await scene.index([...new Set(held)], tags)
      : await scene.image(text, tags, kind === "referrer" ? held[0] : undefined);
    pushed.push({ digest, isYoung });
  }
  if (!aged) await scene.age(DAY_MS);
  return pushed;
}

async function digestsOf({ registry }: Scene, tags: readonly string[]): Promise<Digest[]> {
  const found = await Promise.all(tags.map((tag) => registry.tags.get(APP, tag as never)));
  return found.filter((digest) => digest !== undefined);
}

type Relations = ReadonlyMap<Digest, ReadonlySet<Digest>>;

/** What each manifest holds: its children, its subject, what names it as its subject. */
async function relationsOf({ registry }: Scene): Promise<Relations> {
  const relations = new Map<Digest, Set<Digest>>();
  const subjects: (readonly [Digest, Digest])[] = [];
  for await (const { stored: { digest }, manifest } of registry.manifests.scan(APP)) {
    relations.set(digest, new Set(manifest.children.map((child) => child.digest)));
    if (manifest.subject) subjects.push([digest, manifest.subject.digest]);
  }
  for (const [digest, subject] of subjects) {
    relations.get(digest)!.add(subject);
    relations.get(subject)?.add(digest);
  }
  return relations;
}

function reach(relations: Relations, roots: Iterable<Digest>): Set<Digest> {
  const reached = new Set<Digest>();
  for (const open = [...roots]; open.length > 0;) {
    const digest = open.pop()!;
    if (reached.has(digest) || !relations.has(digest)) continue;
    reached.add(digest);
    open.push(...relations.get(digest)!);
  }
  return reached;
}
