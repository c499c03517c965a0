/** The built-in storage plugins behind each wall, as the core calls them. */

import { storageSuite, type SuiteStorage } from "../../plugins/contract/storage_suite.ts";
import type { PluginOptions } from "../../plugins/contract/plugin.ts";
import { startPlugin } from "../../server/sandbox/mod.ts";
import { assertRejects } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";
import { makeFolder } from "./folders.ts";

const MIB = 1024 * 1024;
const WALLS = ["worker", "process"] as const;

interface Start {
  readonly name: "fs" | "memory";
  readonly isolation: (typeof WALLS)[number];
  readonly options: PluginOptions;
  /** Folders that it may read and write. */
  readonly folders: readonly string[];
}

function start({ name, isolation, options, folders }: Start) {
  const permissions = folders.length > 0 ? { read: folders, write: folders } : {};
  return startPlugin({
    name,
    kind: "storage",
    folder: `${ROOT}plugins/storage/${name}`,
    entry: `${name}.ts`,
    isolation,
    permissions,
    options,
  });
}

async function startMemory(isolation: Start["isolation"]): Promise<SuiteStorage> {
  const plugin = await start({ name: "memory", isolation, options: {}, folders: [] });
  return { ...plugin.serve("storage"), [Symbol.asyncDispose]: () => plugin.close() };
}

async function startFs(isolation: Start["isolation"]): Promise<SuiteStorage> {
  const folder = await makeFolder();
  const root = `${folder.path}/root`;
  const plugin = await start({ name: "fs", isolation, options: { root_dir: root }, folders: [root] });
  const dispose = async () => {
    await plugin.close();
    await folder[Symbol.asyncDispose]();
  };
  return { ...plugin.serve("storage"), [Symbol.asyncDispose]: dispose };
}

for (const isolation of WALLS) {
  storageSuite({
    name: `memory in a ${isolation}`,
    create: () => startMemory(isolation),
    largeBytes: 16 * MIB,
  });
  storageSuite({ name: `fs in a ${isolation}`, create: () => startFs(isolation) });

  Deno.test(`fs in a ${isolation} does not start on a folder that it was not granted, and says which`, async () => {
    await using folder = await makeFolder();
    const options = { root_dir: `${folder.path}/other` };
    const granted = [`${folder.path}/root`];
    await assertRejects(start({ name: "fs", isolation, options, folders: granted }), {
      message: new RegExp(`Cannot start storage plugin "fs": .*${folder.path}/other`),
    });
  });
}
