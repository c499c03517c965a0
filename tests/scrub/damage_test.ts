import { assert, assertEquals } from "../support/assert.ts";
import { digestOf } from "../support/client.ts";
import type { Digest } from "../../server/oci/digest.ts";
import { type Finding, FINDING_SEVERITIES, type FindingKind } from "../../server/registry/scrub/findings.ts";
import {
  APP,
  blobKeyOf,
  bytesOf,
  createWorld,
  hexOf,
  keysOf,
  linkKeyOf,
  manifestKeyOf,
  OTHER,
  scrubStore,
  SILENT,
  STORES,
  upload,
  type World,
} from "./scene.ts";

/** What is expected to be found: a kind and its key. */
type Expected = readonly [kind: FindingKind, key: string];

interface Damage {
  /** What is wrong, as the end of a sentence. */
  readonly what: string;
  readonly make: (world: World) => Promise<void>;
  /** What a scrub that changes nothing finds. */
  readonly found: (world: World) => readonly Expected[];
  /** What came of each in a repair, the same number; `left`: it stays. */
  readonly mended: readonly ("repaired" | "quarantined" | "left")[];
  /** What a second scrub after the repair finds. Default: nothing. */
  readonly after?: (world: World) => readonly Expected[];
  /** What must be so after the repair. */
  readonly check?: (world: World) => Promise<void>;
  readonly rehash?: true;
}

const REFERRER = ({ image, signature }: World) =>
  `repositories/${APP}/_referrers/sha256/${hexOf(image)}/sha256/${hexOf(signature)}`;
const TAGGED = (digest: Digest, tag: string) => `repositories/${APP}/_tagged/sha256/${hexOf(digest)}/${tag}`;
const TAG = (tag: string) => `repositories/${APP}/_tags/${tag}`;
const NOBODY = `sha256:${"5".repeat(64)}` as Digest;

/** Both images refer to both blobs. */
function bothImages(kind: FindingKind, { image }: World): Expected[] {
  return [[kind, manifestKeyOf(APP, image)], [kind, manifestKeyOf(OTHER, image)]];
}

async function deleteDue({ storage }: World): Promise<void> {
  for (const prefix of ["due/", "due_bytes/"]) {
    for (const key of await storage.list(prefix, { limit: 100 })) await storage.delete(key);
  }
}

const STALE_UPLOAD = `uploads/${APP}!/01234567-89ab-4def-8123-456789abcdef`;

const UNKNOWN = [
  "aside/sha256/abc.x",
  "blobs/md5/00/0000",
  `blobs/sha256/55/${"6".repeat(64)}`,
  "catalog/UPPER!",
  `due/${APP}!/sha256/12`,
  "lost+found",
  `links/sha256/55/${"5".repeat(64)}/${APP}`,
  `repositories/${APP}/_manifests/sha256/short`,
  `repositories/${APP}/_tags/-no-tag`,
  "repositories/team/UPPER/_tags/x",
  `uploads/${APP}!/no-upload`,
  "zzz/what",
].toSorted();

const DAMAGES: readonly Damage[] = [
  {
    what: "a blob whose bytes are others of the same length",
    make: async ({ storage, layer }) => void await storage.put(blobKeyOf(layer), bytesOf("the liver")),
    found: ({ layer }) => [["wrong-digest", blobKeyOf(layer)]],
    mended: ["quarantined"],
    rehash: true,
    after: (world) => bothImages("missing-blob", world),
  },
  {
    what: "a blob that was truncated, though nothing is read",
    make: async ({ storage, layer }) => void await storage.put(blobKeyOf(layer), bytesOf("the")),
    found: ({ layer }) => [["wrong-digest", blobKeyOf(layer)]],
    mended: ["quarantined", "left", "left"],
    after: (world) => bothImages("missing-blob", world),
  },
  {
    what: "a blob without bytes that nothing refers to, though nothing is read",
    make: async (world) => {
      const { storage, registry } = world;
      const digest = await upload(registry, APP, "needed by nobody");
      await storage.put(blobKeyOf(digest), bytesOf(""));
    },
    found: () => [["wrong-digest", blobKeyOf(digestOfUnneeded())]],
    mended: ["quarantined"],
  },
  {
    what: "a blob whose bytes are gone",
    make: async ({ storage, layer }) => void await storage.delete(blobKeyOf(layer)),
    found: (world) => bothImages("missing-blob", world),
    mended: ["left", "left"],
    after: (world) => bothImages("missing-blob", world),
  },
  {
    what: "a link that a manifest needs is gone",
    make: async ({ storage, layer }) => void await storage.delete(linkKeyOf(OTHER, layer)),
    found: ({ image }) => [["missing-link", manifestKeyOf(OTHER, image)]],
    mended: ["left"],
    after: ({ image }) => [["missing-link", manifestKeyOf(OTHER, image)]],
    check: async ({ registry, layer }) => assertEquals(await registry.blobs.has(OTHER, layer), false),
  },
  {
    what: "a link without bytes that nothing refers to",
    make: async ({ storage }) => void await storage.put(linkKeyOf(APP, NOBODY), bytesOf("")),
    found: () => [["link-without-blob", linkKeyOf(APP, NOBODY)]],
    mended: ["repaired"],
  },
  {
    what: "a link that no manifest refers to and that no collector knows",
    make: async (world) => {
      await upload(world.registry, APP, "needed by nobody");
      await deleteDue(world);
    },
    found: () => [["orphan-link", linkKeyOf(APP, digestOfUnneeded())]],
    mended: ["repaired"],
    check: async ({ registry, storage }) => {
      for (let round = 0; round < 3; round++) {
        await registry.garbage.collect({ graceMs: 0, dryRun: false }, SILENT);
      }
      assertEquals(await storage.stat(blobKeyOf(digestOfUnneeded())), undefined);
    },
  },
  {
    what: "bytes that no repository has a link to and that no collector knows",
    make: async ({ storage }) =>
      void await storage.put(blobKeyOf(digestOfUnneeded()), bytesOf("needed by nobody")),
    found: () => [["orphan-blob", blobKeyOf(digestOfUnneeded())]],
    mended: ["repaired"],
  },
  {
    what: "bytes that were left aside",
    make: async ({ storage }) => void await storage.put(`aside/sha256/${hexOf(NOBODY)}.x`, bytesOf("x")),
    found: () => [["left-aside", `aside/sha256/${hexOf(NOBODY)}.x`]],
    mended: ["repaired"],
  },
  {
    what: "an index whose child is gone",
    make: async ({ storage }) => {
      const body = orphanedIndex();
      const head = JSON.stringify({ mediaType: "application/vnd.oci.image.index.v1+json" });
      await storage.put(manifestKeyOf(APP, digestOfText(body)), bytesOf(`${head}\n${body}`));
    },
    found: () => [["missing-manifest", manifestKeyOf(APP, digestOfText(orphanedIndex()))]],
    mended: ["left"],
    after: () => [["missing-manifest", manifestKeyOf(APP, digestOfText(orphanedIndex()))]],
  },
  {
    what: "a manifest that gives its blob a wrong size",
    make: async ({ registry, config }) =>
      void await registry.manifests.put(APP, {
        bytes: bytesOf(liar(config)),
        tags: [],
        contentType: undefined,
      }),
    found: ({ config }) => [["wrong-size", manifestKeyOf(APP, digestOfText(liar(config)))]],
    mended: ["left"],
    after: ({ config }) => [["wrong-size", manifestKeyOf(APP, digestOfText(liar(config)))]],
  },
  {
    what: "a manifest with another byte, its tags and its place under its subject with it",
    make: async ({ storage, signature }) => {
      const key = manifestKeyOf(APP, signature);
      const { bytes } = (await storage.get(key))!;
      bytes[bytes.length - 1] = 0x20;
      await storage.put(key, bytes);
      await storage.put(TAG("signed"), bytesOf(`${signature}\nx`));
      await storage.put(TAGGED(signature, "signed"), bytesOf(""));
    },
    found: ({ signature }) => [["damaged-manifest", manifestKeyOf(APP, signature)]],
    mended: ["quarantined", "quarantined", "quarantined", "repaired"],
    check: async ({ registry, storage, image }) => {
      assertEquals((await registry.referrers.list(APP, image, { limit: 10 })).entries, []);
      assertEquals(await storage.stat(TAG("signed")), undefined);
      const { tags } = (await registry.manifests.get(APP, { digest: image }))!;
      assertEquals(tags, ["latest", "v1"]);
    },
  },
  {
    what: "a manifest without bytes",
    make: async ({ storage }) => void await storage.put(manifestKeyOf(APP, NOBODY), bytesOf("")),
    found: () => [["damaged-manifest", manifestKeyOf(APP, NOBODY)]],
    mended: ["quarantined"],
  },
  {
    what: "a manifest whose head says something else than what it is",
    make: async ({ storage, image }) => {
      const key = manifestKeyOf(OTHER, image);
      const text = new TextDecoder().decode((await storage.get(key))!.bytes);
      await storage.put(key, bytesOf(text.replace("image.manifest.v1", "image.index.v1")));
    },
    found: ({ image }) => [["unreadable-manifest", manifestKeyOf(OTHER, image)]],
    mended: ["left"],
    after: ({ image }) => [["unreadable-manifest", manifestKeyOf(OTHER, image)]],
  },
  {
    what: "a tag that points to nothing",
    make: async ({ storage }) => {
      await storage.put(TAG("lost"), bytesOf(`${NOBODY}\nx`));
      await storage.put(TAGGED(NOBODY, "lost"), bytesOf(""));
    },
    found: () => [["dangling-tag", TAG("lost")]],
    mended: ["quarantined"],
    check: async ({ storage }) => assertEquals(await storage.stat(TAGGED(NOBODY, "lost")), undefined),
  },
  {
    what: "a tag that holds no digest",
    make: async ({ storage }) => void await storage.put(TAG("odd"), bytesOf("")),
    found: () => [["unreadable-tag", TAG("odd")]],
    mended: ["quarantined"],
  },
  {
    what: "a tag that its manifest's deletion would not find",
    make: async ({ storage, image }) => void await storage.put(TAG("found"), bytesOf(`${image}\nx`)),
    found: ({ image }) => [["missing-tagged", TAGGED(image, "found")]],
    mended: ["repaired"],
    check: async ({ registry, image }) => {
      assert(await registry.manifests.delete(APP, image), "the manifest was not there");
      assertEquals((await registry.tags.list(APP, { limit: 10 })).entries, ["multi"]);
    },
  },
  {
    what: "a note of a tag of a manifest that is not there",
    make: async ({ storage }) => void await storage.put(TAGGED(NOBODY, "lost"), bytesOf("")),
    found: () => [["stray-tagged", TAGGED(NOBODY, "lost")]],
    mended: ["quarantined"],
  },
  {
    what: "a manifest that is not listed under its subject",
    make: async (world) => void await world.storage.delete(REFERRER(world)),
    found: (world) => [["missing-referrer", REFERRER(world)]],
    mended: ["repaired"],
    check: async ({ registry, image, signature }) => {
      const { entries } = await registry.referrers.list(APP, image, { limit: 10 });
      assertEquals(entries.map(({ digest }) => digest), [signature]);
    },
  },
  {
    what: "a manifest that is listed under its subject as something else",
    make: async (world) => void await world.storage.put(REFERRER(world), bytesOf(`{"digest":"x"}\nx`)),
    found: (world) => [["wrong-referrer", REFERRER(world)]],
    mended: ["repaired"],
  },
  {
    what: "a manifest that is listed under a subject it does not name, and one that is not there",
    make: async ({ storage, image, index }) => {
      await storage.put(strayReferrer(index, image), bytesOf("{}\nx"));
      await storage.put(strayReferrer(image, NOBODY), bytesOf("{}\ny"));
    },
    found: ({ image, index }) => [
      ["stray-referrer", strayReferrer(index, image)],
      ["stray-referrer", strayReferrer(image, NOBODY)],
    ],
    mended: ["quarantined", "quarantined"],
  },
  {
    what: "a repository that is not in the catalog",
    make: async ({ storage }) => void await storage.delete(`catalog/${OTHER}!`),
    found: () => [["missing-catalog-entry", `catalog/${OTHER}!`]],
    mended: ["repaired"],
    check: async ({ registry }) =>
      assertEquals((await registry.catalog.list({ limit: 10 })).entries, [APP, OTHER]),
  },
  {
    what: "an upload that nobody goes on with",
    make: async ({ storage }) =>
      void await storage.append(STALE_UPLOAD, 0, new Blob(["half"]).stream() as never),
    found: () => [["stale-upload", STALE_UPLOAD]],
    mended: ["quarantined"],
  },
  {
    what: "a deletion that a crash has cut short",
    make: async ({ storage }) => {
      await storage.put(`deletions/${APP}!/sha256/${hexOf(NOBODY)}`, bytesOf(`{"blobs":[]}`));
      await storage.put(TAG("going"), bytesOf(`${NOBODY}\nx`));
      await storage.put(TAGGED(NOBODY, "going"), bytesOf(""));
    },
    found: () => [["unfinished-deletion", `deletions/${APP}!/sha256/${hexOf(NOBODY)}`]],
    mended: ["repaired"],
    check: async ({ storage }) => assertEquals(await storage.stat(TAG("going")), undefined),
  },
  {
    what: "a note of a deletion that cannot be read",
    make: async ({ storage }) =>
      void await storage.put(`deletions/${APP}!/sha256/${hexOf(NOBODY)}`, bytesOf("")),
    found: () => [["unreadable-deletion", `deletions/${APP}!/sha256/${hexOf(NOBODY)}`]],
    mended: ["quarantined"],
  },
  {
    what: "keys that the registry does not write",
    make: async ({ storage }) => {
      for (const key of UNKNOWN) await storage.put(key, bytesOf("?"));
    },
    found: () => UNKNOWN.map((key) => ["unknown-key", key] as const),
    mended: UNKNOWN.map(() => "quarantined"),
  },
];

function strayReferrer(subject: Digest, digest: Digest): string {
  return `repositories/${APP}/_referrers/sha256/${hexOf(subject)}/sha256/${hexOf(digest)}`;
}

function digestOfText(text: string): Digest {
  return digestOf(bytesOf(text)) as Digest;
}

function digestOfUnneeded(): Digest {
  return digestOfText("needed by nobody");
}

function orphanedIndex(): string {
  const manifests = [{ mediaType: "application/vnd.oci.image.manifest.v1+json", digest: NOBODY, size: 2 }];
  return JSON.stringify({ schemaVersion: 2, manifests });
}

function liar(config: Digest): string {
  const mediaType = "application/vnd.oci.image.config.v1+json";
  return JSON.stringify({ schemaVersion: 2, config: { mediaType, digest: config, size: 999 }, layers: [] });
}

function pairs(findings: readonly { readonly kind: FindingKind; readonly key: string }[]): Expected[] {
  return findings.map(({ kind, key }): Expected => [kind, key]).toSorted(byText);
}

function byText(a: Expected, b: Expected): number {
  return a.join() < b.join() ? -1 : 1;
}

/** How a finding was ended. */
function endOf({ repaired, quarantined }: Finding): Damage["mended"][number] {
  return repaired ? "repaired" : quarantined ? "quarantined" : "left";
}

for (const [kind, make] of Object.entries(STORES)) {
  for (const damage of DAMAGES) {
    Deno.test(`scrub finds ${damage.what} (${kind})`, async () => {
      const { storage, remove } = await make();
      try {
        await tryOut(damage, await createWorld(storage));
      } finally {
        await remove();
      }
    });
  }
}

async function tryOut(damage: Damage, world: World): Promise<void> {
  const { storage } = world;
  const rehash = damage.rehash ?? false;
  await damage.make(world);
  const before = await keysOf(storage);
  const expected = [...damage.found(world)].toSorted(byText);

  const young = await scrubStore(storage, { rehash, graceMs: 3_600_000 });
  assertEquals(young.findings, [], "it judges what is young");
  const seen = await scrubStore(storage, { rehash });
  assertEquals(pairs(seen.findings), expected);
  assertEquals(
    seen.findings.map(({ severity }) => severity),
    seen.findings.map(({ kind }) => FINDING_SEVERITIES[kind]),
  );
  assertEquals(await keysOf(storage), before, "it changes something unasked");

  const repaired = await scrubStore(storage, { rehash, repair: true });
  assertEquals(repaired.findings.map(endOf).toSorted(), damage.mended.toSorted());
  assertEquals(repaired.report.remaining, damage.mended.filter((end) => end === "left").length);
  await requireQuarantined(world, repaired.findings);
  const after = [...damage.after?.(world) ?? []].toSorted(byText);
  assertEquals(pairs((await scrubStore(storage, { rehash, repair: true })).findings), after);
  await damage.check?.(world);
}

/** What a finding says was moved is there, and not where it was. */
async function requireQuarantined({ storage }: World, findings: readonly Finding[]): Promise<void> {
  for (const { key, quarantined } of findings) {
    if (quarantined === undefined) continue;
    assert(await storage.stat(quarantined), `nothing is at ${quarantined}`);
    assertEquals(await storage.stat(key), undefined);
  }
}

Deno.test("scrub has a test for each kind of finding", async () => {
  const world = await createWorld((await STORES["memory"]!()).storage);
  const tried = new Set(DAMAGES.flatMap((damage) => damage.found(world).map(([kind]) => kind)));
  assertEquals([...tried].toSorted(), Object.keys(FINDING_SEVERITIES).toSorted());
});

Deno.test("scrub finds nothing where all is well, and says what it has looked at", async () => {
  const { storage } = await createWorld((await STORES["memory"]!()).storage);
  const { findings, report } = await scrubStore(storage, { rehash: true, repair: true });
  assertEquals(findings, []);
  assertEquals(report, {
    dry_run: false,
    findings: {},
    damage: 0,
    leftovers: 0,
    repaired: 0,
    quarantined: 0,
    remaining: 0,
    checked: {
      repositories: 2,
      manifests: 4,
      tags: 4,
      referrers: 1,
      links: 5,
      blobs: 3,
      bytes: 30,
      hashed_blobs: 3,
      hashed_bytes: 30,
    },
    empty_repositories: 0,
  });
});
