/** The built-in storage plugins, called as they are: outside of the sandbox. */

import { storageSuite } from "../../plugins/contract/storage_suite.ts";
import { create as createFs, openStore } from "../../plugins/storage/fs/fs.ts";
import { create as createMemory } from "../../plugins/storage/memory/memory.ts";
import type { Storage } from "../../plugins/contract/storage.ts";

const MIB = 1024 * 1024;

storageSuite({ name: "memory", create: () => createMemory({}), largeBytes: 16 * MIB });
storageSuite({ name: "fs", create: () => inFolder((root_dir) => createFs({ root_dir })) });
storageSuite({
  name: "fs that folds case",
  create: () =>
    inFolder(async (root_dir) => {
      await createFs({ root_dir });
      return openStore(root_dir, { folds: true });
    }),
  largeBytes: 16 * MIB,
});

async function inFolder(
  open: (root: string) => Storage | Promise<Storage>,
): Promise<Storage & AsyncDisposable> {
  const root = await Deno.makeTempDir({ prefix: "sreg-storage-" });
  const remove = () => Deno.remove(root, { recursive: true });
  return Object.assign(await open(root), { [Symbol.asyncDispose]: remove });
}
