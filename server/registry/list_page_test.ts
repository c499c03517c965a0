import {
  LIST_LIMIT_MAX,
  type ListPage,
  type Storage,
  STORAGE_VERBS,
} from "../../plugins/contract/storage.ts";
import { create as createLock } from "../../plugins/lock/memory/memory.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assertEquals } from "../../tests/support/assert.ts";
import { createUnconditional } from "../../tests/support/unconditional.ts";
import { parseRepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import { catalogKey, tagKey } from "./keys.ts";
import { listPage } from "./list_page.ts";
import { lockedStorage } from "./locked_storage.ts";
import { createRegistry, type Registry } from "./registry.ts";

const NOTHING = new Uint8Array(0);
const APP = parseRepositoryName("library/app");
/** Repositories, each with how many tags it has. */
const REPOSITORIES: Readonly<Record<string, number>> = {
  "a": 2,
  "a/b": 0,
  "library/app": 5,
  "library/b": 1,
  "z": 3,
};

/** Keeps the pages that a store was asked for. */
interface Asked {
  readonly list: ListPage[];
  readonly listPage: ListPage[];
}

/** A store whose lists are counted, and that can say, or cannot, whether more keys follow. */
function counted(
  memory: Storage,
  { paged }: { readonly paged: boolean },
): { storage: Storage; asked: Asked } {
  const asked: Asked = { list: [], listPage: [] };
  const verbs = STORAGE_VERBS.map((name) => [name, memory[name].bind(memory)]);
  const storage: Storage = {
    ...Object.fromEntries(verbs),
    list: (prefix, page) => (asked.list.push(page), memory.list(prefix, page)),
    ...(paged && {
      async listPage(prefix: string, page: ListPage) {
        asked.listPage.push(page);
        const keys = await memory.list(prefix, { ...page, limit: page.limit + 1 });
        return { keys: keys.slice(0, page.limit), more: keys.length > page.limit };
      },
    }),
  };
  return { storage, asked };
}

async function filled(count: number): Promise<Storage> {
  const memory = await create({});
  for (let index = 0; index < count; index++) await memory.put(keyAt(index), NOTHING);
  return memory;
}

function keyAt(index: number): string {
  return tagKey(APP, `v${String(index).padStart(6, "0")}`);
}

Deno.test("listPage() asks a store that can say whether more follow once, for no key more", async () => {
  const { storage, asked } = counted(await filled(4), { paged: true });
  for (const limit of [3, 4, 5, LIST_LIMIT_MAX]) {
    const { keys, more } = await listPage(storage, "", { limit });
    assertEquals([keys.length, more], [Math.min(limit, 4), limit < 4]);
  }
  assertEquals(asked, { list: [], listPage: [3, 4, 5, LIST_LIMIT_MAX].map((limit) => ({ limit })) });
});

Deno.test("listPage() asks another store for one key more, but never for more than a store answers", async () => {
  const { storage, asked } = counted(await filled(LIST_LIMIT_MAX + 1), { paged: false });
  const pages: readonly (readonly [page: ListPage, count: number, more: boolean])[] = [
    [{ limit: 1 }, 1, true],
    [{ limit: LIST_LIMIT_MAX - 1 }, LIST_LIMIT_MAX - 1, true],
    [{ limit: LIST_LIMIT_MAX }, LIST_LIMIT_MAX, true],
    [{ limit: LIST_LIMIT_MAX, after: keyAt(0) }, LIST_LIMIT_MAX, false],
    [{ limit: LIST_LIMIT_MAX, after: keyAt(1) }, LIST_LIMIT_MAX - 1, false],
    [{ limit: LIST_LIMIT_MAX - 1, after: keyAt(1) }, LIST_LIMIT_MAX - 1, false],
  ];
  for (const [page, count, more] of pages) {
    const listed = await listPage(storage, "", page);
    assertEquals([listed.keys.length, listed.more], [count, more], JSON.stringify(page));
  }
  assertEquals(asked.list.filter(({ limit }) => limit > LIST_LIMIT_MAX), []);
});

Deno.test("listPage() answers no more keys than it was asked for, whatever the store answers", async () => {
  const memory = await filled(4);
  const lying: Storage = {
    ...counted(memory, { paged: false }).storage,
    listPage: async (prefix) => ({ keys: await memory.list(prefix, { limit: 4 }), more: false }),
  };
  assertEquals(await listPage(lying, "", { limit: 3 }), { keys: [0, 1, 2].map(keyAt), more: true });
});

Deno.test("a store with locks says whether more keys follow where the store itself does", async () => {
  const lock = await createLock({});
  const bare = await createUnconditional();
  assertEquals(lockedStorage(bare, lock).listPage, undefined);
  const { storage } = counted(bare, { paged: true });
  await storage.put("a", NOTHING);
  assertEquals(await lockedStorage(storage, lock).listPage!("", { limit: 1 }), { keys: ["a"], more: false });
});

async function openBoth(): Promise<readonly [telling: Registry, asked: Registry]> {
  const memory = await create({});
  for (const [name, tags] of Object.entries(REPOSITORIES)) {
    await memory.put(catalogKey(parseRepositoryName(name)), NOTHING);
    for (let tag = 0; tag < tags; tag++) {
      await memory.put(tagKey(parseRepositoryName(name), `v${tag}`), NOTHING);
    }
  }
  const open = (paged: boolean) => createRegistry(counted(memory, { paged }).storage, { openUploadsMax: 10 });
  return [await open(true), await open(false)];
}

const ALL_TAGS = Object.entries(REPOSITORIES).flatMap(([name, tags]) =>
  Array.from({ length: tags }, (_, tag) => `${name}:v${tag}`)
);
const SEES = (name: string) => Promise.resolve(name !== "library/app");

const LISTS: readonly (readonly [
  name: string,
  list: (registry: Registry, page: Page) => Promise<Listed<string>>,
  all: readonly string[],
])[] = [
  ["Tags.list()", ({ tags }, page) => tags.list(APP, page), ["v0", "v1", "v2", "v3", "v4"]],
  ["Catalog.list()", ({ catalog }, page) => catalog.list(page), Object.keys(REPOSITORIES)],
  [
    "Catalog.list() of what somebody sees",
    ({ catalog }, page) => catalog.list(page, SEES),
    Object.keys(REPOSITORIES).filter((name) => name !== "library/app"),
  ],
  ["Catalog.listTags()", ({ catalog }, page) => catalog.listTags(page), ALL_TAGS],
  [
    "Catalog.listTags() of what somebody sees",
    ({ catalog }, page) => catalog.listTags(page, SEES),
    ALL_TAGS.filter((tag) => !tag.startsWith("library/app:")),
  ],
];

for (const [name, list, all] of LISTS) {
  Deno.test(`${name} answers every page alike, whether the store says that more follow or not`, async () => {
    for (const registry of await openBoth()) {
      for (const limit of [0, 1, 2, 3, all.length - 1, all.length, all.length + 1, 10_000]) {
        for (const [index, last] of [undefined, ...all].entries()) {
          const expected = {
            entries: all.slice(index, index + limit),
            more: limit > 0 && index + limit < all.length,
          };
          assertEquals(await list(registry, last === undefined ? { limit } : { limit, last }), expected);
        }
      }
    }
  });
}
