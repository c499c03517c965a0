import { PluginError } from "../../plugins/contract/error.ts";
import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { interleave, randomSchedule, type Schedule, twoSwitches } from "../../tests/support/interleavings.ts";
import { type Clock, openTicking, twoStepMoves } from "../../tests/support/two_step_moves.ts";
import { OCI_IMAGE_INDEX } from "../oci/media_type.ts";
import { parseRepositoryName, type RepositoryName } from "../oci/name.ts";
import type { Listed } from "../oci/page.ts";
import { parseTag, type Tag } from "../oci/reference.ts";
import { digestBytes } from "./hash.ts";
import { catalogKey, lastPart, tagsPrefix } from "./keys.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { TagPages } from "./tag_pages.ts";
import { TagStamps } from "./tag_stamps.ts";

const NAME = parseRepositoryName("library/app");
const KEY = catalogKey(NAME);
const PAGE = { limit: 100 };
const FIRST = manifestOf("first");
const SECOND = manifestOf("second");
const READS = 20;
const CALLS_MAX = 32;
const SEEDS = 300;

function tag(text: string): Tag {
  return parseTag(text, "MANIFEST_INVALID");
}

function manifestOf(text: string): Uint8Array<ArrayBuffer> {
  const index = { schemaVersion: 2, manifests: [], annotations: { text } };
  return new TextEncoder().encode(JSON.stringify(index));
}

/** Pages over a store whose looks at stamps are counted, and a list that says what it is told, and is counted. */
async function openPages(options: { readonly bytesMax?: number } = {}) {
  const { storage, clock } = await openTicking({ tickMs: 0 });
  const counts = { stats: 0, lists: 0 };
  let etag: string | undefined | "the store's" = "the store's";
  const counted: Storage = {
    ...storage,
    async stat(key) {
      counts.stats++;
      const facts = await storage.stat(key);
      if (!facts || etag === "the store's") return facts;
      const { etag: _, ...rest } = facts;
      return etag === undefined ? rest : { ...rest, etag };
    },
  };
  const pages = new TagPages(counted, options);
  const list = async (answer: readonly string[], page = PAGE, name: RepositoryName = NAME) => {
    const listed = await pages.list(name, page, () => {
      counts.lists++;
      return Promise.resolve({ entries: answer as Tag[], more: false });
    });
    return listed.entries as readonly string[];
  };
  /** Asks once, and says what that cost. */
  const cost = async (...args: Parameters<typeof list>) => {
    counts.stats = counts.lists = 0;
    await list(...args);
    return { ...counts };
  };
  /** Asks for another page until the stamp has settled. */
  const settle = async () => {
    for (const passMs of [0, 0, 10_000]) {
      clock.pass(passMs);
      await list([], { limit: 1 });
    }
  };
  return {
    storage,
    clock,
    list,
    cost,
    settle,
    pages,
    stamps: new TagStamps(storage, { shared: true }),
    tell: (told: string | undefined) => etag = told,
  };
}

const LIST = { stats: 0, lists: 1 };
const LOOK = { stats: 1, lists: 0 };
const BOTH = { stats: 1, lists: 1 };

Deno.test("list() reads a page that is asked for the first time, and once more when it is asked for again", async () => {
  const { stamps, clock, cost, settle } = await openPages();
  using _ = clock.rule();
  await stamps.put(NAME);
  await settle();
  assertEquals([await cost(["a"]), await cost(["a"]), await cost(["a"])], [LIST, BOTH, LOOK]);
  assertEquals(await cost(["a"], { limit: 99 }), LIST);
  assertEquals(await cost(["a"], PAGE, parseRepositoryName("library/other")), LIST);
  clock.pass(61_000);
  assertEquals([await cost(["a"]), await cost(["a"])], [LIST, BOTH], "after a minute without being asked");
});

Deno.test("list() remembers no page before its stamp was seen for 10 s, and looks at it at both ends of that only", async () => {
  const { stamps, clock, cost } = await openPages();
  using _ = clock.rule();
  await stamps.put(NAME);
  clock.pass(60_000);
  const costs = [];
  for (let second = 0; second <= 12; second++) {
    costs.push(await cost(["a"]));
    clock.pass(1_000);
  }
  assertEquals(costs, [LIST, BOTH, ...Array(9).fill(LIST), BOTH, LOOK]);
});

Deno.test("list() believes a page for a minute at most", async () => {
  const { stamps, clock, list, settle } = await openPages();
  using _ = clock.rule();
  await stamps.put(NAME);
  await settle();
  const seen = [];
  for (let answer = 0; answer < 6; answer++) {
    seen.push(...await list([`${answer}`]));
    clock.pass(20_500);
  }
  assertEquals(seen, ["0", "1", "1", "1", "4", "4"]);
});

Deno.test("list() answers what it has read: all tags, none, and whether more follow", async () => {
  const { stamps, clock, pages, settle } = await openPages();
  using _ = clock.rule();
  await stamps.put(NAME);
  await settle();
  for (const entries of [["a", "b-1", "c.d_e"], ["a"], []] as Tag[][]) {
    for (const more of [false, true]) {
      const page = { limit: 10, last: `${entries.length}${more}` };
      const read = () => Promise.resolve({ entries, more });
      const answers: Listed<Tag>[] = [];
      for (let asked = 0; asked < 3; asked++) answers.push(await pages.list(NAME, page, read));
      assertEquals(answers, [{ entries, more }, { entries, more }, { entries, more }]);
    }
  }
});

Deno.test("list() remembers nothing under what is no stamp", async () => {
  const entries = { "none": undefined, "empty": "", "condemned": crypto.randomUUID() };
  for (const [what, entry] of Object.entries(entries)) {
    const { storage, clock, cost } = await openPages();
    using _ = clock.rule();
    if (entry !== undefined) await storage.put(KEY, new TextEncoder().encode(entry));
    clock.pass(11_000);
    await cost(["a"]);
    assertEquals([await cost(["a"]), await cost(["a"])], [BOTH, LIST], what);
    clock.pass(11_000);
    assertEquals(await cost(["a"]), BOTH, what);
  }
});

Deno.test("list() remembers nothing where the store tells no etags", async () => {
  const { stamps, clock, cost, settle, tell } = await openPages();
  using _ = clock.rule();
  await stamps.put(NAME);
  tell(undefined);
  await settle();
  assertEquals([await cost(["a"]), await cost(["a"])], [LIST, LIST]);
  clock.pass(11_000);
  assertEquals(await cost(["a"]), BOTH);
});

Deno.test("list() believes no page under another stamp, nor under the same that was put again", async () => {
  for (const change of ["another etag", "another time"]) {
    const { stamps, clock, list, tell, settle } = await openPages();
    using _ = clock.rule();
    tell("one");
    await stamps.put(NAME);
    await settle();
    for (let asked = 0; asked < 3; asked++) assertEquals(await list(["before"]), ["before"]);
    if (change === "another etag") tell("two");
    else await stamps.put(NAME);
    assertEquals(await list(["after"]), ["after"], change);
  }
});

Deno.test("list() keeps to its bound by what was asked for longest ago, and keeps no long texts", async () => {
  const { stamps, clock, cost, settle } = await openPages({ bytesMax: 3_000 });
  using _ = clock.rule();
  await stamps.put(NAME);
  await settle();
  const long = ["t".repeat(1_200)];
  const [one, two] = [{ limit: 101 }, { limit: 102 }];
  for (const page of [one, two, one, two]) await cost(long, page);
  assertEquals([await cost(long, two), await cost(long, one)], [LOOK, LIST]);
  const far = { limit: 1, last: "t".repeat(129) };
  for (let asked = 0; asked < 3; asked++) assertEquals(await cost(["a"], far), LIST);
});

/** A replica, whose calls to the store can be held back for a while. */
interface Replica {
  readonly registry: Registry;
  /** By which calls it goes on from here. */
  over(calls: Storage): void;
}

async function openReplica(storage: Storage, clock: Clock): Promise<Replica> {
  let current = storage;
  const calls = STORAGE_VERBS.map((verb) => [
    verb,
    (...args: unknown[]) => (current[verb] as (...args: unknown[]) => unknown)(...args),
  ]);
  const view = twoStepMoves(Object.fromEntries(calls) as unknown as Storage, clock);
  const registry = await createRegistry(view, { openUploadsMax: 10 });
  return { registry, over: (calls) => current = calls };
}

async function push({ manifests }: Registry, text: string, bytes = FIRST): Promise<void> {
  await manifests.put(NAME, { bytes, tags: [tag(text)], contentType: OCI_IMAGE_INDEX });
}

async function storedTags(storage: Storage): Promise<string[]> {
  return (await storage.list(tagsPrefix(NAME), PAGE)).map(lastPart);
}

/** What changes the list of a repository that has the tags v1 and v2 of one manifest. */
const CHANGES: Readonly<Record<string, (registry: Registry) => Promise<unknown>>> = {
  "a push": (registry) => push(registry, "v3", SECOND),
  "a push of what is there": (registry) => push(registry, "v3"),
  "two pushes": async (registry) => {
    await push(registry, "v3", SECOND);
    await push(registry, "v4", SECOND);
  },
  "the deletion of a tag": ({ tags }) => tags.delete(NAME, tag("v1")),
  "the deletion of a tag as it was": async ({ tags }) =>
    await tags.deleteIf(NAME, tag("v1"), (await tags.stat(NAME, tag("v1")))!),
  "the deletion of a manifest": ({ manifests }) => manifests.delete(NAME, digestBytes("sha256", FIRST)),
  "the deletion of the repository": ({ repositories }) => repositories.delete(NAME, {}),
};

/** All orders with two switches, and some by chance. */
function* schedules(): Generator<readonly [order: string, Schedule]> {
  let index = 0;
  for (const schedule of twoSwitches(CALLS_MAX)) yield [`order ${index++}`, schedule];
  for (let seed = 1; seed <= SEEDS; seed++) yield [`seed ${seed}`, randomSchedule(seed)];
}

/** Has the change meet somebody who asks for the list again and again. Answers how often it came from memory afterwards. */
async function meet(
  change: (registry: Registry) => Promise<unknown>,
  { tickMs, quietMs, schedule }: {
    readonly tickMs: number;
    readonly quietMs: number;
    readonly schedule: Schedule;
  },
): Promise<number> {
  const { storage, clock } = await openTicking({ tickMs });
  using _ = clock.rule();
  const [writer, reader] = [await openReplica(storage, clock), await openReplica(storage, clock)];
  for (const text of ["v1", "v2"]) await push(writer.registry, text);
  clock.pass(quietMs);
  const list = async () => (await reader.registry.tags.list(NAME, PAGE)).entries as readonly string[];
  for (const passMs of [0, 0, 10_000]) {
    clock.pass(passMs);
    await list();
  }
  const results = await interleave(storage, [
    async (calls) => (writer.over(calls), await change(writer.registry)),
    async (calls) => {
      reader.over(calls);
      for (let read = 0; read < READS; read++) await list();
    },
  ], schedule);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  const expected = await storedTags(storage);
  let lists = 0;
  reader.over({ ...storage, list: (...args) => (lists++, storage.list(...args)) });
  const passesMs = [0, 0, 10_000, 0, 10_000, 0];
  for (const passMs of passesMs) {
    clock.pass(passMs);
    assertEquals(await list(), expected);
  }
  return passesMs.length - lists;
}

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`list() of another replica answers what is stored once ${what} has ended`, async () => {
    let recalled = 0;
    for (const [order, schedule] of schedules()) {
      for (const [tickMs, quietMs] of [[250, 20_000], [3_000, 20_000], [1_000, 120_000]] as const) {
        try {
          recalled += await meet(change, { tickMs, quietMs, schedule });
        } catch (error) {
          throw new Error(`${order}, ${tickMs} ms a call: ${(error as Error).message}`, { cause: error });
        }
      }
    }
    assert(recalled > 1_000 || what.endsWith("repository"), `only ${recalled} lists came from memory`);
  });
}

Deno.test("a repository that is removed while a tag of it is deleted is not there again", async () => {
  for (const [order, schedule] of schedules()) {
    const { storage, clock } = await openTicking();
    using _ = clock.rule();
    const [one, other] = [await openReplica(storage, clock), await openReplica(storage, clock)];
    for (const text of ["v1", "v2"]) await push(one.registry, text);
    clock.pass(20_000);
    const results = await interleave(storage, [
      async (calls) => (one.over(calls), await one.registry.repositories.delete(NAME, {})),
      async (calls) => (other.over(calls), await other.registry.tags.delete(NAME, tag("v1"))),
    ], schedule);
    for (const result of results) if (result.status === "rejected") throw result.reason;
    assertEquals([await storage.stat(KEY), await storedTags(storage)], [undefined, []], order);
  }
});

/** The store, for who dies as soon as a tag is set or deleted. */
function dyingAtTag(storage: Storage): Storage {
  let isDead = false;
  const attempt = async <T>(key: string, change: () => Promise<T>) => {
    if (isDead) throw new PluginError("unavailable", "dead");
    isDead = key.startsWith(tagsPrefix(NAME));
    return await change();
  };
  return {
    ...storage,
    put: (key, ...rest) => attempt(key, () => storage.put(key, ...rest)),
    delete: (key, ...rest) => attempt(key, () => storage.delete(key, ...rest)),
  };
}

for (const what of ["a push", "the deletion of a tag", "the deletion of a manifest"]) {
  Deno.test(`list() of another replica answers what is stored where ${what} died once the tag had changed`, async () => {
    const { storage, clock } = await openTicking();
    using _ = clock.rule();
    const [writer, reader] = [await openReplica(storage, clock), await openReplica(storage, clock)];
    await push(writer.registry, "v1");
    for (const passMs of [20_000, 0, 10_000, 0]) {
      clock.pass(passMs);
      await reader.registry.tags.list(NAME, PAGE);
    }
    writer.over(dyingAtTag(storage));
    const outcome = await CHANGES[what]!(writer.registry).then(() => "done", () => "dead");
    const { entries } = await reader.registry.tags.list(NAME, PAGE);
    assertEquals(entries as readonly string[], await storedTags(storage));
    assertEquals([outcome, entries.length], [what === "a push" ? "done" : "dead", what === "a push" ? 2 : 0]);
  });
}
