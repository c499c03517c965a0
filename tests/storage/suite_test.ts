/** Whether the storage suite finds plugins that break the contract: each of these breaks one clause or more. */

import { PluginError } from "../../plugins/contract/error.ts";
import type { Bytes, Storage } from "../../plugins/contract/storage.ts";
import { STORAGE_CLAUSES } from "../../plugins/contract/storage_suite.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assert, assertEquals } from "../support/assert.ts";

const LARGE_BYTES = 128 * 1024 * 1024;

interface Broken {
  /** What it does wrong. */
  readonly fault: string;
  /** The verbs it has instead of the good ones. */
  readonly verbs: (good: Storage) => Partial<Storage>;
  /** Part of the name of a clause that must find it. */
  readonly found: string;
}

const BROKEN: readonly Broken[] = [
  {
    fault: "throws for absence",
    verbs: (good) => ({ get: async (key) => await good.get(key) ?? fail(`no ${key}`) }),
    found: "answer undefined where there is no object",
  },
  {
    fault: "has one etag for all",
    verbs: (good) => ({ put: async (...call) => ({ ...await good.put(...call), etag: "1" }) }),
    found: "whose etag changes with its bytes",
  },
  {
    fault: "shares its bytes with the caller",
    verbs: (good) => {
      const shared = new Map<string, Awaited<ReturnType<Storage["get"]>>>();
      const get: Storage["get"] = async (key) =>
        shared.get(key) ?? shared.set(key, await good.get(key)).get(key);
      return { get };
    },
    found: "bytes that are the caller's to change",
  },
  {
    fault: "puts in two steps",
    verbs: (good) => ({
      put: async (key, bytes, condition) => {
        await good.put(key, bytes.slice(0, bytes.length / 2), condition);
        await turn();
        return await good.put(key, bytes);
      },
    }),
    found: "put() is atomic",
  },
  {
    fault: "tests a condition and acts later",
    verbs: (good) => ({
      put: async (key, bytes, { ifAbsent, ifMatch } = {}) => {
        const value = await good.get(key);
        if (ifAbsent && value || ifMatch !== undefined && value?.etag !== ifMatch) {
          fail("conflict", "conflict");
        }
        await turn();
        return await good.put(key, bytes);
      },
      delete: async (key) => {
        const exists = await good.stat(key) !== undefined;
        await turn();
        await good.delete(key);
        return exists;
      },
      move: async (from, to) => {
        const value = await good.get(from);
        await turn();
        await good.delete(from);
        if (value) await good.put(to, value.bytes);
        return value !== undefined;
      },
    }),
    found: "succeeds for exactly one of many at once",
  },
  {
    fault: "ignores conditions",
    verbs: (good) => ({ put: (key, bytes) => good.put(key, bytes), delete: (key) => good.delete(key) }),
    found: "conflicts with another",
  },
  {
    fault: "ignores the span",
    verbs: (good) => ({ open: (key) => good.open(key) }),
    found: "the bytes of a span",
  },
  {
    fault: "ignores the offset",
    verbs: (good) => ({
      append: async (key, _, body) => await good.append(key, (await good.stat(key))?.size ?? 0, body),
    }),
    found: "at another offset",
  },
  {
    fault: "writes bodies only whole",
    verbs: (good) => ({
      append: async (key, offset, body) => {
        const bytes = new Uint8Array(await new Response(body).arrayBuffer());
        return await good.append(key, offset, ReadableStream.from([bytes]) as Bytes);
      },
    }),
    found: "keeps what had arrived",
  },
  {
    fault: "gathers large bodies in memory",
    verbs: (good) => {
      const gathered: Uint8Array[] = [];
      async function* gather(body: Bytes) {
        for await (const chunk of body) {
          gathered.push(chunk.slice());
          yield chunk;
        }
      }
      return {
        append: (key, offset, body) => good.append(key, offset, ReadableStream.from(gather(body)) as Bytes),
      };
    },
    found: "in memory that does not grow",
  },
  {
    fault: "leaves the source of a move",
    verbs: (good) => ({
      move: async (from, to) => {
        const value = await good.get(from);
        if (value) await good.put(to, value.bytes);
        return value !== undefined;
      },
    }),
    found: "move() renames",
  },
  {
    fault: "keeps the old time of a moved object",
    verbs: (good) => ({
      stat: async (key) => {
        const facts = await good.stat(key);
        return facts && { ...facts, modifiedAtMs: facts.modifiedAtMs - 2_000 };
      },
    }),
    found: "time of modification new",
  },
  {
    fault: "sorts directory by directory",
    verbs: (good) => ({
      list: async (prefix, { after = "", limit }) => {
        const keys = await good.list("", { limit: 10_000 });
        const bySegment = (a: string, b: string) =>
          a.replaceAll("/", "\0") < b.replaceAll("/", "\0") ? -1 : 1;
        return keys.sort(bySegment).filter((key) => key.startsWith(prefix) && key > after).slice(0, limit);
      },
    }),
    found: "the byte order of whole keys",
  },
  {
    fault: "takes a prefix for whole segments",
    verbs: (good) => ({
      list: (prefix, page) => good.list(prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`, page),
    }),
    found: "begin with any prefix",
  },
  {
    fault: "answers the key it was to begin after",
    verbs: (good) => ({
      list: (prefix, { after, limit }) =>
        good.list(prefix, after ? { after: after.slice(0, -1), limit } : { limit }),
    }),
    found: "page by page",
  },
  {
    fault: "takes capitals for small letters",
    verbs: (good) => ({
      put: (key, ...rest) => good.put(key.toLowerCase(), ...rest),
      get: (key) => good.get(key.toLowerCase()),
    }),
    found: "differ by case alone",
  },
  {
    fault: "answers before a delete is done",
    verbs: (good) => ({
      delete: async (key) => {
        const exists = await good.stat(key) !== undefined;
        setTimeout(() => void good.delete(key).catch(() => {}), 1);
        return exists;
      },
    }),
    found: "delete() removes an object",
  },
];

for (const { fault, verbs, found } of BROKEN) {
  Deno.test(`storageSuite() finds a store that ${fault}`, async () => {
    const clauses = STORAGE_CLAUSES.filter(({ name }) => name.includes(found));
    assert(clauses.length > 0, `no clause is named like "${found}"`);
    for (const clause of clauses) {
      const good = await create({});
      const outcome = await clause.run({ ...bound(good), ...verbs(good) }, { largeBytes: LARGE_BYTES })
        .then(() => "passed", () => "found");
      assertEquals(outcome, "found", clause.name);
    }
    // What it left for later must not meet the next test.
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
}

function bound(storage: Storage): Storage {
  const names = ["stat", "get", "open", "put", "append", "move", "delete", "list"] as const;
  return Object.fromEntries(names.map((name) => [name, storage[name].bind(storage)])) as unknown as Storage;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function fail(message: string, code: "conflict" | "failed" = "failed"): never {
  throw new PluginError(code, message);
}
