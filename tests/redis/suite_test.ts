/** Whether the suites of locks and caches find plugins that break their contracts: each of these breaks one clause or more. */

import type { Cache } from "../../plugins/contract/cache.ts";
import { CACHE_CLAUSES } from "../../plugins/contract/cache_suite.ts";
import type { Lock } from "../../plugins/contract/lock.ts";
import { LOCK_CLAUSES } from "../../plugins/contract/lock_suite.ts";
import { create as createCache } from "../../plugins/cache/memory/memory.ts";
import { create as createLock } from "../../plugins/lock/memory/memory.ts";
import { assert } from "../support/assert.ts";

interface Broken<Contract> {
  /** What it does wrong. */
  readonly fault: string;
  /** The methods it has instead of the good ones. */
  readonly methods: (good: Contract) => Partial<Contract>;
  /** Part of the name of a clause that must find it. */
  readonly found: string;
}

const LOCKS: readonly Broken<Lock>[] = [
  {
    fault: "gives a lock to everybody",
    methods: (good) => ({ acquire: (_name, request) => good.acquire(crypto.randomUUID(), request) }),
    found: "exactly one of many at once",
  },
  {
    fault: "forgets names' case",
    methods: (good) => ({ acquire: (name, request) => good.acquire(name.toLowerCase(), request) }),
    found: "names are told apart",
  },
  {
    fault: "believes every token",
    methods: (good) => ({ renew: async (...call) => await good.renew(...call) || true }),
    found: "a holder that is late is told so",
  },
  {
    fault: "keeps the locks of the dead",
    methods: (good) => ({ acquire: (name, request) => good.acquire(name, { ...request, ttlMs: 600_000 }) }),
    found: "a holder that died loses the lock",
  },
  {
    fault: "renews for less than it says",
    methods: (good) => ({ renew: async (name, token) => await good.renew(name, token, 300) }),
    found: "renew() holds the lock for longer",
  },
  {
    fault: "answers without having waited",
    methods: (good) => ({ acquire: (name, request) => good.acquire(name, { ...request, waitMs: 0 }) }),
    found: "release() wakes who waits",
  },
  {
    fault: "has one fence for all",
    methods: (good) => ({
      acquire: async (...call) => {
        const held = await good.acquire(...call);
        return held && { ...held, fence: 1 };
      },
    }),
    found: "the fence of a name grows",
  },
  {
    fault: "releases in words alone",
    methods: () => ({ release: () => Promise.resolve(true) }),
    found: "release() ends the hold, once",
  },
  {
    fault: "serves who came last first",
    methods: (good) => {
      const asked: (() => void)[] = [];
      return {
        acquire: async (name, request) => {
          if (request.waitMs === 0) return await good.acquire(name, request);
          const turn = Promise.withResolvers<void>();
          asked.push(turn.resolve);
          setTimeout(() => asked.pop()!(), 5);
          await turn.promise;
          return await good.acquire(name, request);
        },
      };
    },
    found: "the first comes first",
  },
];

const CACHES: readonly Broken<Cache>[] = [
  {
    fault: "deletes nothing",
    methods: () => ({ delete: () => Promise.resolve() }),
    found: "delete() forgets values and counters",
  },
  {
    fault: "keeps values for ever",
    methods: (good) => ({ put: (key, bytes) => good.put(key, bytes, { ttlMs: 600_000 }) }),
    found: "a value is gone when its time is over",
  },
  {
    fault: "counts in two steps",
    methods: () => {
      const counts = new Map<string, number>();
      return {
        count: async (key, { by }) => {
          const before = counts.get(key) ?? 0;
          await new Promise((resolve) => setTimeout(resolve));
          counts.set(key, before + by);
          return before + by;
        },
      };
    },
    found: "count() adds in one step",
  },
  {
    fault: "begins a counter's time anew",
    methods: (good) => ({
      count: async (key, { by, ttlMs }) => {
        const before = await good.count(key, { by: 0, ttlMs });
        await good.delete([key]);
        return await good.count(key, { by: Math.max(0, before + by), ttlMs });
      },
    }),
    found: "a counter ends when its first time is over",
  },
  {
    fault: "shares its bytes with the caller",
    methods: () => {
      const held = new Map<string, Uint8Array<ArrayBuffer>>();
      return {
        get: (key) => Promise.resolve(held.has(key) ? { bytes: held.get(key)! } : undefined),
        put: (key, bytes) => Promise.resolve(void held.set(key, bytes)),
      };
    },
    found: "is the caller's to change",
  },
  {
    fault: "takes no large values",
    methods: (good) => ({
      put: async (key, bytes, time) => bytes.length > 1_000 ? undefined : await good.put(key, bytes, time),
    }),
    found: "values of every size",
  },
];

for (const { fault, methods, found } of LOCKS) {
  Deno.test(`lockSuite() finds a plugin that ${fault}`, async () => {
    const good = await createLock({});
    const lock = { ...bound(good, ["acquire", "renew", "release"]), ...methods(good) };
    await mustFail(LOCK_CLAUSES.find(({ name }) => name.includes(found))!.run({ one: lock, other: lock }));
  });
}

for (const { fault, methods, found } of CACHES) {
  Deno.test(`cacheSuite() finds a plugin that ${fault}`, async () => {
    const good = await createCache({ size: 4_000_000 });
    const cache = { ...bound(good, ["get", "put", "delete", "count"]), ...methods(good) };
    await mustFail(CACHE_CLAUSES.find(({ name }) => name.includes(found))!.run({ one: cache, other: cache }));
  });
}

function bound<Contract extends object, Name extends keyof Contract>(
  good: Contract,
  names: readonly Name[],
): Pick<Contract, Name> {
  const methods = names.map((name) => [name, (good[name] as (...args: never[]) => unknown).bind(good)]);
  return Object.fromEntries(methods) as Pick<Contract, Name>;
}

async function mustFail(run: Promise<void>): Promise<void> {
  assert(await run.then(() => false, () => true), "the clause held");
}
