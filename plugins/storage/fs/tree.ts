import { PluginError } from "../../contract/error.ts";
import { isKey } from "../../contract/storage.ts";
import { Durability } from "./durability.ts";
import { meansAbsent, systemCode } from "./failure.ts";
import { Listings, listKeys } from "./listings.ts";
import { directoryOf, nameOf, Paths } from "./paths.ts";
import { ValueCache } from "./value_cache.ts";

/**
 * The directories of the store. Every change to them is made here, in one synchronous turn with the test of its
 * condition, `alone`, so that making a directory and pruning it cannot meet, in this process or in several.
 */
export class Tree {
  readonly paths: Paths;
  /** What was read of the files lately. */
  readonly values: ValueCache = new ValueCache();
  readonly #listings: Listings;
  readonly #durability: Durability;
  readonly #lock: string;

  /** `lock` is a file that all who share the tree lock. */
  constructor(paths: Paths, { lock }: { readonly lock: string }) {
    this.paths = paths;
    this.#lock = lock;
    this.#durability = new Durability((directory) => syncDirectory(paths.directory(directory)));
    this.#listings = new Listings({
      modifiedAtMs: (directory) => this.#modifiedAtMs(directory),
      read: (directory) => this.#read(directory),
    });
  }

  /** Facts of the key's file, or `undefined` where there is no file. Symbolic links are none, and lead to none. */
  stat(key: string): Deno.FileInfo | undefined {
    const info = lstat(this.paths.file(key));
    return info?.isFile && this.paths.isReadable(directoryOf(key)) ? info : undefined;
  }

  /** Runs `act` while no other process does the same. */
  alone<T>(act: () => T): T {
    using file = Deno.openSync(this.#lock);
    file.lockSync(true);
    return act();
  }

  /** Makes the key's directories and runs `act`, which makes the key's file. */
  insert(key: string, act: () => void): void {
    const directory = directoryOf(key);
    this.values.forget(key);
    this.#ensure(directory);
    this.#listings.change(directory, nameOf(key), { present: true, act });
  }

  /** Runs `act`, which takes the key's file away, and prunes. Answers the directory that has to be synced for it. */
  remove(key: string, act: () => void): string {
    this.values.forget(key);
    this.#listings.change(directoryOf(key), nameOf(key), { present: false, act });
    return this.#prune(directoryOf(key));
  }

  /** Runs `act`, which renames a key's file. Answers the directory that has to be synced for what it left. */
  move(from: string, to: string, act: () => void): string {
    let left = "";
    this.insert(to, () => {
      left = this.remove(from, act);
    });
    return left;
  }

  /** Answers when the directory, and the way to it, survives a power cut. */
  sync(directory: string): Promise<void> {
    return this.#durability.sync(directory, directoryOf);
  }

  /** A page of keys. */
  list(prefix: string, page: { readonly after?: string; readonly limit: number }): string[] {
    return listKeys(this.#listings, prefix, page);
  }

  #ensure(directory: string): void {
    if (directory === "" || this.paths.isReal(directory)) return;
    const parent = directoryOf(directory);
    this.#ensure(parent);
    const path = this.paths.directory(directory);
    if (lstat(path)) {
      throw new PluginError("failed", `Cannot make the directory ${path}: something else is there`);
    }
    const act = () => Deno.mkdirSync(path);
    this.#listings.change(parent, nameOf(directory), { present: true, act });
    this.#durability.made(directory);
  }

  /** Removes the directory and its ancestors as far as they are empty; never the root. Answers the first that stays. */
  #prune(directory: string): string {
    if (directory === "") return directory;
    const parent = directoryOf(directory);
    const act = () => Deno.removeSync(this.paths.directory(directory));
    try {
      this.#listings.change(parent, nameOf(directory), { present: false, act });
    } catch (error) {
      // One that stays is no harm: an empty directory is never listed.
      if (systemCode(error) !== "ENOENT") return directory;
    }
    this.#listings.forget(directory);
    this.#durability.removed(directory);
    return this.#prune(parent);
  }

  #modifiedAtMs(directory: string): number | undefined {
    if (directory !== "" && !isKey(directory.slice(0, -1))) return undefined;
    const info = lstat(this.paths.directory(directory));
    if (!info?.isDirectory || !this.paths.isReadable(directory)) return undefined;
    return info.mtime?.getTime();
  }

  #read(directory: string): string[] {
    const names: string[] = [];
    for (const entry of readDirectory(this.paths.directory(directory))) {
      const segment = this.paths.segment(entry.name);
      if (segment === undefined) continue;
      if (entry.isFile) names.push(segment);
      else if (entry.isDirectory) names.push(`${segment}/`);
    }
    return names;
  }
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw error;
  }
}

/** The entries; none where another process has removed the directory since it was looked at. */
function readDirectory(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    if (meansAbsent(error)) return [];
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  try {
    using directory = Deno.openSync(path);
    await directory.sync();
  } catch (error) {
    // Removed since: then the sync of the directory that it was removed from says so.
    if (!meansAbsent(error)) throw error;
  }
}
