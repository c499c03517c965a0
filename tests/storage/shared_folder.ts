/**
 * A process that shares a store: `deno run shared_folder.ts <root> <name> <rounds>` counts up one object on the
 * condition that it is what was read, and makes, lists and removes objects in directories that others remove too.
 *
 * @module
 */

import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/fs/fs.ts";

const COUNTER = "counter";

if (import.meta.main) {
  const [root, name, rounds] = Deno.args as [string, string, string];
  const storage = await create({ root_dir: root });
  for (let round = 0; round < Number(rounds); round++) {
    await countUp(storage);
    await comeAndGo(storage, `${name}-${round}`);
    await meet(storage, `${name}-${round}`);
  }
}

/** What the object counts. */
export async function readCounter(storage: Storage): Promise<number> {
  const value = await storage.get(COUNTER);
  return value ? Number(new TextDecoder().decode(value.bytes)) : 0;
}

async function countUp(storage: Storage): Promise<void> {
  for (;;) {
    const value = await storage.get(COUNTER);
    const next = new TextEncoder().encode(
      String(value ? Number(new TextDecoder().decode(value.bytes)) + 1 : 1),
    );
    try {
      await storage.put(COUNTER, next, value ? { ifMatch: value.etag } : { ifAbsent: true });
      return;
    } catch (error) {
      if (!(error instanceof PluginError && error.code === "conflict")) throw error;
    }
  }
}

/** The directory goes with its last object, while others are making theirs in it. */
async function comeAndGo(storage: Storage, name: string): Promise<void> {
  const key = `shared/folder/${name}`;
  await storage.put(key, new Uint8Array(0));
  const listed = await storage.list("shared/folder/", { limit: 1_000 });
  if (!listed.includes(key)) throw new Error(`${key} is not listed in ${listed}`);
  await storage.move(key, `${key}.moved`);
  await storage.delete(`${key}.moved`);
}

/** One object that all put, read and remove: it is there wholly, or not at all. */
async function meet(storage: Storage, text: string): Promise<void> {
  await storage.put("met/here", new TextEncoder().encode(text));
  for (let look = 0; look < 10; look++) await storage.get("met/here");
  await storage.list("met/", { limit: 9 });
  const opened = await storage.open("met/here");
  if (opened) await new Response(opened.body).text();
  await storage.move("met/here", `met/${text}`);
  await storage.delete(`met/${text}`);
}
