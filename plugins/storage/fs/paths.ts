import { resolve } from "node:path";
import { PluginError } from "../../contract/error.ts";
import { isKey } from "../../contract/storage.ts";
import { foldName, unfoldName } from "./names.ts";

const PROVEN_FOR_MS = 1_000;
const PROVEN_MAX = 10_000;

/** The directory that a key's file is in, as the beginning of keys: "" or "a/b/". */
export function directoryOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/", key.length - 2) + 1);
}

/** The last segment of a key, or of a directory with its slash. */
export function nameOf(key: string): string {
  return key.slice(directoryOf(key).length);
}

/** Where keys and directories are in the file system; nothing outside of the root, whatever the key. */
export class Paths {
  readonly root: string;
  readonly #realRoot: string;
  readonly #folds: boolean;
  readonly #proven = new Set<string>();
  #provenSinceMs = 0;

  /** `root` exists. With `folds` the file system takes capitals and small letters for the same. */
  constructor(root: string, options: { readonly folds: boolean }) {
    this.root = resolve(root);
    this.#realRoot = Deno.realPathSync(this.root);
    this.#folds = options.folds;
  }

  /** The path of a key's file. */
  file(key: string): string {
    if (!isKey(key)) {
      throw new PluginError("failed", `Cannot use the key ${JSON.stringify(key)}: it has no key's form`);
    }
    return `${this.root}/${this.#relative(key)}`;
  }

  /** The path of a directory, without a slash at the end. */
  directory(directory: string): string {
    return directory === "" ? this.root : this.file(directory.slice(0, -1));
  }

  /** The segment whose file or directory has this name, or `undefined` where none has. */
  segment(name: string): string | undefined {
    const segment = this.#folds ? unfoldName(name) : name;
    return isKey(segment) ? segment : undefined;
  }

  /** Whether the directory is there, and no symbolic link leads to it. */
  isReal(directory: string): boolean {
    const relative = this.#relative(directory.slice(0, -1));
    const expected = relative === "" ? this.#realRoot : `${this.#realRoot}/${relative}`;
    return realPath(this.directory(directory)) === expected;
  }

  /** As `isReal`, but an answer of the last second may do: for reading, which asks a hundred thousand times a second. */
  isReadable(directory: string): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#provenSinceMs > PROVEN_FOR_MS || this.#proven.size > PROVEN_MAX) {
      this.#proven.clear();
      this.#provenSinceMs = nowMs;
    }
    if (this.#proven.has(directory)) return true;
    const real = this.isReal(directory);
    if (real) this.#proven.add(directory);
    return real;
  }

  #relative(key: string): string {
    return this.#folds ? key.split("/").map(foldName).join("/") : key;
  }
}

function realPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    return undefined;
  }
}
