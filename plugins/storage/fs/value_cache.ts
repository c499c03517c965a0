import type { StoredValue } from "../../contract/storage.ts";

interface Entry {
  readonly value: StoredValue;
  readonly inode: number | null;
}

/** How coarse the times of files may be, in milliseconds: what changed a moment ago may change again and look the same. */
export const TIMES_ARE_COARSE_MS = 20;

const VALUE_BYTES_MAX = 64 * 1024;
const TOTAL_BYTES_MAX = 16 * 1024 * 1024;
/** What an entry costs besides its bytes. */
const ENTRY_BYTES = 500;

/**
 * Small values that were read last, so that reading them again costs a look at the file's facts. An entry counts only while
 * these are what they were; who changes a file here has it forgotten besides. Facts alone can deceive, since times are
 * coarse and inodes are used again: so what another process may have changed a moment ago is not remembered.
 */
export class ValueCache {
  /** The one used last comes last. */
  readonly #entries = new Map<string, Entry>();
  readonly #totalBytesMax: number;
  #totalBytes = 0;

  constructor(options: { readonly totalBytesMax: number } = { totalBytesMax: TOTAL_BYTES_MAX }) {
    this.#totalBytesMax = options.totalBytesMax;
  }

  /** The value of a file that has these facts, its bytes the caller's to keep. */
  get(key: string, info: Deno.FileInfo): StoredValue | undefined {
    const entry = this.#entries.get(key);
    if (!entry || !matches(entry, info)) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return { ...entry.value, bytes: entry.value.bytes.slice() };
  }

  /** Remembers what was read from a file that has these facts. */
  set(key: string, info: Deno.FileInfo, value: StoredValue): void {
    this.forget(key);
    const isFresh = value.modifiedAtMs > Date.now() - TIMES_ARE_COARSE_MS;
    if (value.size > VALUE_BYTES_MAX || isFresh) return;
    this.#entries.set(key, { value: { ...value, bytes: value.bytes.slice() }, inode: info.ino });
    this.#totalBytes += value.size + ENTRY_BYTES;
    for (const oldest of this.#entries.keys()) {
      if (this.#totalBytes <= this.#totalBytesMax) return;
      this.forget(oldest);
    }
  }

  /** Forgets the value of a file that changes. */
  forget(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#totalBytes -= entry.value.size + ENTRY_BYTES;
  }
}

function matches({ value, inode }: Entry, info: Deno.FileInfo): boolean {
  return value.size === info.size && value.modifiedAtMs === info.mtime?.getTime() && inode === info.ino;
}
