/**
 * Clauses on `list` and `listPage`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { all, bytesOf, put, putAll, shuffled, type StorageClause, times } from "./trial_suite.ts";

/** Keys in byte order, among them all that sort wrongly where directories are walked without care. */
const ORDERED_KEYS = [
  "0.1.2",
  "0.1.20",
  "0.1.3",
  "A",
  "Latest",
  "a!",
  "a!b/c",
  "a-b",
  "a-b-c/d",
  "a.b",
  "a/a-b",
  "a/a.c",
  "a/a/b",
  "a/a0",
  "a/b",
  "a0",
  "aa/b/c/d",
  "latest",
  "math!",
  "math-voila/x",
  "math.x",
  "math/x",
  "math0",
  "z",
  "~",
];

const PREFIXES = ["", "a", "a/", "a/a", "a/a/", "a-b", "math", "0.1.2", "none", "none/", "//", "../"];
const AFTERS = ["", " ", "/", "a/", "a/a/", "a/a/b/c", "a-", "b", "math/zz", "zz/z", "~~", "é"];

/** Clauses on `list` and `listPage`. */
export const LISTS: readonly StorageClause[] = [
  {
    name: "list() answers the byte order of whole keys",
    run: async (storage) => {
      await putAll(storage, shuffled(ORDERED_KEYS));
      assert.deepEqual(await all(storage), ORDERED_KEYS);
    },
  },
  {
    name: "list() answers the keys that begin with any prefix, after any text, up to any limit",
    run: async (storage) => {
      await putAll(storage, ORDERED_KEYS);
      for (const prefix of PREFIXES) {
        const begun = ORDERED_KEYS.filter((key) => key.startsWith(prefix));
        for (const after of [...AFTERS, ...ORDERED_KEYS]) {
          const expected = begun.filter((key) => key > after);
          for (const limit of [1, 3, 10_000]) {
            const actual = await storage.list(prefix, { after, limit });
            assert.deepEqual(
              actual,
              expected.slice(0, limit),
              `prefix "${prefix}" after "${after}" limit ${limit}`,
            );
          }
        }
      }
    },
  },
  {
    name:
      "listPage(), where there is one, answers what list() does, and whether more follow a page that is full",
    run: async (storage) => {
      if (!storage.listPage) return;
      await putAll(storage, ORDERED_KEYS);
      for (const prefix of PREFIXES) {
        for (const after of [...AFTERS, "0.1.3", "math.x"]) {
          const { length } = await storage.list(prefix, { after, limit: 10_000 });
          for (const limit of new Set([1, 3, Math.max(length - 1, 1), Math.max(length, 1), 10_000])) {
            const { keys, more } = await storage.listPage(prefix, { after, limit });
            const place = `prefix "${prefix}" after "${after}" limit ${limit}`;
            assert.deepEqual(keys, await storage.list(prefix, { after, limit }), place);
            // Of a page that is just full it may say either.
            assert.ok(length === limit || more === (length > limit), place);
          }
        }
      }
    },
  },
  {
    name: "list() page by page answers every key once, also while others come and go",
    run: async (storage) => {
      const stay = times(120, (index) => `tags/${index % 7}/v${index}`).sort();
      await putAll(storage, stay);
      const churn = times(6, async (index) => {
        for (const round of [1, 2, 3]) {
          const key = `tags/${index}/w${round}`;
          await put(storage, key, "");
          await storage.delete(key);
        }
      });
      const seen = [];
      for (let after = "";; after = seen.at(-1)!) {
        const page = await storage.list("tags/", { after, limit: 7 });
        seen.push(...page);
        if (page.length < 7) break;
      }
      await Promise.all(churn);
      assert.deepEqual(seen.filter((key) => key.includes("/v")), stay);
    },
  },
  {
    name: "list() follows every change",
    run: async (storage) => {
      const keys = new Set<string>();
      for (let step = 0; step < 120; step++) {
        const key = `r/${step * 7 % 5}/${step * 11 % 13}`;
        if (step % 3 === 2) {
          assert.equal(await storage.delete(key), keys.delete(key));
        } else if (step % 3 === 1 && !keys.has(`up/${step}`)) {
          await storage.append(`up/${step}`, 0, bytesOf());
          await storage.move(`up/${step}`, key);
          keys.add(key);
        } else {
          await put(storage, key, "");
          keys.add(key);
        }
        assert.deepEqual(await all(storage), [...keys].sort());
      }
    },
  },
];
