import type { Storage } from "../../plugins/contract/storage.ts";
import { linesKey } from "./keys.ts";

/** Lines of one object of the store. */
const BUNCH = 256;

/** Largest line, in characters of JSON. */
const LINE_LENGTH_MAX = 16 * 1024;

/** Most lines of a job. */
const LINES_MAX = 1_000_000;

/** Most of one page of lines, in characters of JSON. */
const PAGE_LENGTH_MAX = 4 * 1024 * 1024;

/** Appends lines to a job's list. They are numbered from 0; line n is in bunch n / 256. */
export class LineWriter {
  readonly #storage: Storage;
  readonly #job: string;
  #bunch: string[];
  #count: number;
  #written: number;
  #writing: Promise<void> = Promise.resolve();

  private constructor(storage: Storage, job: string, lines: readonly string[], count: number) {
    this.#storage = storage;
    this.#job = job;
    this.#bunch = [...lines];
    this.#count = count;
    this.#written = count;
  }

  /** Goes on after the first `count` lines, which are there; what came after them is written over. */
  static async open(storage: Storage, job: string, count: number): Promise<LineWriter> {
    const inBunch = count % BUNCH;
    const lines = inBunch === 0 ? [] : await getBunch(storage, job, Math.floor(count / BUNCH));
    return new LineWriter(storage, job, lines.slice(0, inBunch), count);
  }

  /** How many lines there are, written or not. */
  get count(): number {
    return this.#count;
  }

  /** Adds a line, and writes the bunch that it fills. Fails where that fails, now or with what comes next. */
  add(value: unknown): Promise<void> {
    if (this.#count >= LINES_MAX) return this.#writing;
    this.#bunch.push(formatLine(value));
    this.#count++;
    return this.#count % BUNCH === 0 ? this.#write() : this.#writing;
  }

  /** Writes what is not written yet. */
  flush(): Promise<void> {
    return this.#written === this.#count ? this.#writing : this.#write();
  }

  #write(): Promise<void> {
    const count = this.#count;
    const key = linesKey(this.#job, Math.floor((count - 1) / BUNCH));
    const bytes = new TextEncoder().encode(this.#bunch.join("\n"));
    if (count % BUNCH === 0) this.#bunch = [];
    this.#written = count;
    return this.#writing = this.#writing.then(async () => void await this.#storage.put(key, bytes));
  }
}

/** A line that is too long says so instead. */
function formatLine(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= LINE_LENGTH_MAX ? text : JSON.stringify({ cut_length: text.length });
}

async function getBunch(storage: Storage, job: string, bunch: number): Promise<string[]> {
  const found = await storage.get(linesKey(job, bunch));
  return found ? new TextDecoder().decode(found.bytes).split("\n") : [];
}

/** A page of lines, as they were added. */
export interface LinesPage {
  readonly lines: readonly unknown[];
  /** The number of the last one, where more follow. */
  readonly next?: number;
}

/** At most `limit` lines after line `last`, of the first `count`. A page of long lines has fewer. */
export async function readLines(
  storage: Storage,
  job: string,
  { count, limit, last = -1 }: { readonly count: number; readonly limit: number; readonly last?: number },
): Promise<LinesPage> {
  const lines: unknown[] = [];
  const end = Math.min(count, last + 1 + limit);
  let at = last + 1;
  for (let length = 0; at < end && length < PAGE_LENGTH_MAX;) {
    const bunch = await getBunch(storage, job, Math.floor(at / BUNCH));
    const found = bunch.slice(at % BUNCH, at % BUNCH + end - at);
    if (found.length === 0) return { lines };
    for (const text of found) length += lines.push(JSON.parse(text)) && text.length;
    at += found.length;
  }
  return at < count && lines.length > 0 ? { lines, next: at - 1 } : { lines };
}
