/** A store that cannot make conditions: it looks, and acts later. */

import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";

/** What happens between a look and the change, and before a change that has no condition. */
export type Gap = () => Promise<void>;

/** A memory store in the guise of one without conditions. What it is told to do within a time it does in that, or not. */
export async function createUnconditional(gap: Gap = turn): Promise<Storage> {
  const memory = await create({});
  const within = async <T>(withinMs: number | undefined, change: () => Promise<T>): Promise<T> => {
    const calledMs = performance.now();
    await gap();
    if (withinMs !== undefined && performance.now() - calledMs >= withinMs) {
      throw new PluginError("unavailable", "Cannot change it: the time is over");
    }
    return await change();
  };
  const require = (isTrue: boolean) => {
    if (!isTrue) throw new PluginError("conflict", "Cannot change it: the condition does not hold");
  };
  return {
    stat: (key) => memory.stat(key),
    get: (key) => memory.get(key),
    open: (key, span) => memory.open(key, span),
    append: (key, offset, body, options) => memory.append(key, offset, body, options),
    list: (prefix, page) => memory.list(prefix, page),
    async put(key, bytes, { ifAbsent, ifMatch, withinMs } = {}) {
      if (ifAbsent || ifMatch !== undefined) require((await memory.get(key))?.etag === ifMatch);
      return await within(withinMs, () => memory.put(key, bytes));
    },
    async delete(key, { ifMatch, withinMs } = {}) {
      const found = await memory.get(key);
      if (found && ifMatch !== undefined) require(found.etag === ifMatch);
      return await within(withinMs, async () => {
        await memory.delete(key);
        return found !== undefined;
      });
    },
    async move(from, to, { withinMs, ...state } = {}) {
      const found = await memory.stat(from);
      return await within(withinMs, async () => {
        await memory.move(from, to, state);
        return found !== undefined;
      });
    },
    features: () => Promise.resolve({ shared: true, conditions: false, moveMs: 0, notes: false }),
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
