/**
 * The storage contract on a directory tree: the object `a/b` is the file `a/b` under `root_dir`.
 *
 * What is put is written to a file aside, made durable, and renamed into its place in the same turn in which its
 * condition is tested; then the directory is made durable. `%temp` holds the files aside, and `%lock` is locked for the
 * length of such a turn, so that several processes can share a tree: `%` is in no key.
 *
 * @module
 */

import { hash } from "node:crypto";
import { PluginError } from "../../contract/error.ts";
import type { CreatePlugin } from "../../contract/plugin.ts";
import {
  type AppendOptions,
  type Bytes,
  type ByteSpan,
  type DeleteCondition,
  type ListPage,
  type Location,
  type MoveCondition,
  type ObjectFacts,
  type OpenedObject,
  type PutCondition,
  type Storage,
  type StoredValue,
  VALUE_BYTES_MAX,
} from "../../contract/storage.ts";
import { readSpan, writeBody, writeWhole } from "./bytes.ts";
import { failure, meansAbsent } from "./failure.ts";
import { directoryOf, Paths } from "./paths.ts";
import { Tree } from "./tree.ts";

/** The settings of the plugin. */
export interface FsOptions {
  /** The directory of the objects. */
  readonly root_dir: string;
}

const TEMPORARY = "%temp";
const LOCK = "%lock";

/** Opens the store in `root_dir`, which is made if need be, and removes what a crash has left aside. */
export const create: CreatePlugin<Storage, FsOptions> = ({ root_dir }) => {
  try {
    Deno.mkdirSync(`${root_dir}/${TEMPORARY}`, { recursive: true });
    const folds = exists(`${root_dir}/${TEMPORARY.toUpperCase()}`);
    const tree = openTree(root_dir, { folds });
    tree.alone(() => removeLeft(`${root_dir}/${TEMPORARY}`));
    return new FsStorage(tree);
  } catch (error) {
    throw failure("open the store", root_dir, error);
  }
};

/** Opens the store in a root that `create` has made ready. `folds`: its file system takes `A` and `a` for the same. */
export function openStore(root: string, options: { readonly folds: boolean }): Storage {
  return new FsStorage(openTree(root, options));
}

function openTree(root: string, options: { readonly folds: boolean }): Tree {
  const lock = `${root}/${LOCK}`;
  Deno.openSync(lock, { write: true, create: true }).close();
  return new Tree(new Paths(root, options), { lock });
}

class FsStorage implements Storage {
  readonly #tree: Tree;
  readonly #paths: Paths;

  constructor(tree: Tree) {
    this.#tree = tree;
    this.#paths = tree.paths;
  }

  stat(key: string): Promise<ObjectFacts | undefined> {
    return this.#attempt("stat", key, () => {
      const info = this.#tree.stat(key);
      return info && facts(info);
    });
  }

  get(key: string): Promise<StoredValue | undefined> {
    return this.#attempt("get", key, () => this.#read(key));
  }

  open(key: string, span?: ByteSpan): Promise<OpenedObject | undefined> {
    return this.#attempt("open", key, () => {
      const info = this.#tree.stat(key);
      if (!info) return undefined;
      const path = this.#paths.file(key);
      const body = unlessGone(() => readSpan(path, span ?? { offset: 0, length: info.size }));
      return body && { ...facts(info), body };
    });
  }

  put(
    key: string,
    bytes: Uint8Array<ArrayBuffer>,
    condition: PutCondition = {},
  ): Promise<{ readonly etag: string }> {
    return this.#attempt("put", key, async () => {
      if (bytes.length > VALUE_BYTES_MAX) throw tooLarge("put", key, bytes.length);
      this.#check(key, condition);
      // The entry of an empty file is all there is to it: the directory's fsync makes it durable.
      const isDone = bytes.length === 0 && this.#tree.alone(() => {
        this.#check(key, condition);
        return this.#createEmpty(key);
      });
      if (!isDone) await this.#replace(key, bytes, condition);
      if (condition.lasting !== false) await this.#tree.sync(directoryOf(key));
      return { etag: etagOf(bytes) };
    });
  }

  append(
    key: string,
    offset: number,
    body: Bytes,
    options: AppendOptions = {},
  ): Promise<{ readonly size: number }> {
    return this.#attempt("append to", key, async () => {
      try {
        using file = this.#openEnd(key, offset, options);
        return { size: offset + await writeBody(file, body) };
      } catch (error) {
        await body.cancel(error).catch(() => {});
        throw error;
      }
    });
  }

  move(from: string, to: string, { lasting, ifSize }: MoveCondition = {}): Promise<boolean> {
    return this.#attempt(`move to ${to}`, from, async () => {
      const source = this.#paths.file(from);
      const target = this.#paths.file(to);
      if (!this.#tree.stat(from)) return false;
      await this.#settle(from, { lasting });
      const left = this.#tree.alone(() => {
        const info = this.#tree.stat(from);
        if (!info) return undefined;
        using _claimed = ifSize === undefined ? undefined : claim(source, { from, info, ifSize });
        return this.#tree.move(from, to, () => Deno.renameSync(source, target));
      });
      if (left === undefined) return false;
      if (lasting !== false) await Promise.all([this.#tree.sync(directoryOf(to)), this.#tree.sync(left)]);
      return true;
    });
  }

  delete(key: string, condition: DeleteCondition = {}): Promise<boolean> {
    return this.#attempt("delete", key, async () => {
      const left = this.#tree.alone(() => {
        if (!this.#tree.stat(key)) return undefined;
        this.#check(key, condition);
        return this.#tree.remove(key, () => Deno.removeSync(this.#paths.file(key)));
      });
      if (left === undefined) return false;
      if (condition.lasting !== false) await this.#tree.sync(left);
      return true;
    });
  }

  list(prefix: string, page: ListPage): Promise<string[]> {
    return this.#attempt("list", prefix, () => this.#tree.list(prefix, page));
  }

  locate(key: string, access: "read" | "append"): Promise<Location | undefined> {
    return this.#attempt("locate", key, () => {
      if (!this.#tree.stat(key)) {
        if (access === "read") return undefined;
        this.#tree.alone(() => this.#createEmpty(key));
      }
      return { file: this.#paths.file(key) };
    });
  }

  async #attempt<Answer>(verb: string, key: string, act: () => Answer | Promise<Answer>): Promise<Answer> {
    try {
      return await act();
    } catch (error) {
      throw failure(`${verb} ${key}`, this.#paths.root, error);
    }
  }

  #read(key: string): StoredValue | undefined {
    const info = this.#tree.stat(key);
    if (!info) return undefined;
    if (info.size > VALUE_BYTES_MAX) throw tooLarge("get", key, info.size);
    return this.#tree.values.get(key, info) ?? unlessGone(() => this.#readFile(key, info));
  }

  #readFile(key: string, info: Deno.FileInfo): StoredValue {
    const bytes = Deno.readFileSync(this.#paths.file(key));
    const value = { ...facts(info), size: bytes.length, bytes, etag: etagOf(bytes) };
    this.#tree.values.set(key, info, value);
    return value;
  }

  #check(key: string, { ifAbsent, ifMatch }: PutCondition): void {
    if (ifAbsent && this.#tree.stat(key)) {
      throw new PluginError("conflict", `Cannot put ${key}: it exists`);
    }
    if (ifMatch !== undefined && this.#read(key)?.etag !== ifMatch) {
      throw new PluginError("conflict", `Cannot change ${key}: its etag is not ${ifMatch}`);
    }
  }

  /** Makes an empty object. Answers whether there was none. */
  #createEmpty(key: string): boolean {
    if (this.#tree.stat(key)) return false;
    const path = this.#paths.file(key);
    this.#tree.insert(key, () => Deno.openSync(path, { write: true, createNew: true }).close());
    return true;
  }

  async #replace(key: string, bytes: Uint8Array, condition: PutCondition): Promise<void> {
    const path = this.#paths.file(key);
    const temporary = `${this.#paths.root}/${TEMPORARY}/${crypto.randomUUID()}`;
    try {
      using file = this.#tree.alone(() => openLocked(temporary));
      writeWhole(file, bytes);
      if (condition.lasting !== false) await file.syncData();
      this.#tree.alone(() => {
        this.#check(key, condition);
        this.#tree.insert(key, () => Deno.renameSync(temporary, path));
      });
    } catch (error) {
      removeIfPossible(temporary);
      throw error;
    }
  }

  /** Makes the time of an object's modification now, and the bytes that it grew by with `append` durable. */
  async #settle(key: string, { lasting }: { readonly lasting: false | undefined }): Promise<void> {
    const path = this.#paths.file(key);
    using file = unlessGone(() => Deno.openSync(path, { write: true }));
    if (!file) return;
    const now = new Date();
    file.utimeSync(now, now);
    if (lasting === false) return;
    try {
      await file.sync();
    } catch (error) {
      // The system may have dropped what it could not write, and would call the next fsync of the rest a success.
      this.#tree.alone(() => this.#tree.stat(key) && this.#tree.remove(key, () => Deno.removeSync(path)));
      throw error;
    }
  }

  #openEnd(key: string, offset: number, { mustExist }: AppendOptions): Deno.FsFile {
    const info = this.#tree.stat(key);
    const size = info?.size ?? 0;
    if (size !== offset || (mustExist && !info)) {
      throw new PluginError("conflict", `Cannot append to ${key}: it has ${size} bytes, not ${offset}`);
    }
    if (!info) this.#tree.alone(() => this.#createEmpty(key));
    const file = Deno.openSync(this.#paths.file(key), { append: true });
    if (file.tryLockSync(true)) return file;
    file.close();
    throw new PluginError("conflict", `Cannot append to ${key}: another does`);
  }
}

/** Locks a file that is to be moved, if it is so long, and nobody appends to it: they would go on with what it becomes. */
function claim(
  path: string,
  { from, info, ifSize }: { readonly from: string; readonly info: Deno.FileInfo; readonly ifSize: number },
): Deno.FsFile {
  if (info.size !== ifSize) {
    throw new PluginError("conflict", `Cannot move ${from}: it has ${info.size} bytes, not ${ifSize}`);
  }
  const file = Deno.openSync(path, { write: true });
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new PluginError("conflict", `Cannot move ${from}: it is growing`);
}

function facts({ size, mtime }: Deno.FileInfo): ObjectFacts {
  return { size, modifiedAtMs: mtime!.getTime() };
}

function etagOf(bytes: Uint8Array): string {
  return hash("sha256", bytes, "base64url");
}

function tooLarge(verb: string, key: string, size: number): PluginError {
  return new PluginError("failed", `Cannot ${verb} ${key}: ${size} bytes are more than ${VALUE_BYTES_MAX}`);
}

/** Where it is not, the disk is as broken as the caller's error says, and the next start removes the file. */
function removeIfPossible(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // The caller has the error that matters.
  }
}

/** What `read` answers; `undefined` where another process has taken the file away since it was looked at. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw error;
  }
}

/** A new file whose lock says that its process is alive. */
function openLocked(path: string): Deno.FsFile {
  const file = Deno.openSync(path, { write: true, createNew: true });
  file.lockSync(true);
  return file;
}

/** Removes the files that nobody is writing any more. */
function removeLeft(directory: string): void {
  for (const { name } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    using file = Deno.openSync(path);
    if (file.tryLockSync(true)) Deno.removeSync(path);
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (meansAbsent(error)) return false;
    throw error;
  }
}
