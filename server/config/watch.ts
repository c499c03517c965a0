import { join } from "node:path";
import { listTomlFiles } from "./read.ts";

/** How files are watched. */
export interface WatchOptions {
  /** How often they are looked at; default: every second. */
  readonly intervalMs?: number;
  /** When they began to be read, as `Date.now()` says it: what changed since then counts; default: now. */
  readonly sinceMs?: number;
  /**
   * Called when something changed and then stayed as it is for one interval. It is waited for, and called again for what
   * changes meanwhile. It must not reject.
   */
  readonly onChange: () => void | Promise<void>;
  /** Ends the watch, as `stop()` does. */
  readonly signal?: AbortSignal;
}

/** A watch that is going on. */
export interface Watch {
  /** Ends it: `onChange` is not called any more. Resolves after an `onChange` that is under way, which cannot wait for it. */
  stop(): Promise<void>;
}

/**
 * Watches what `list` answers at the time: files, and folders for their `*.toml`. They are polled, since notifications
 * do not tell of symbolic links that are replaced further up (Kubernetes), nor of network file systems. A path that is
 * new to the list counts as changed if it changed after the last `onChange` began.
 */
export function watchFiles(list: () => readonly string[], options: WatchOptions): Watch {
  return new Polling(list, options);
}

class Polling implements Watch {
  readonly #list: () => readonly string[];
  readonly #options: WatchOptions;
  readonly #detector: ChangeDetector;
  readonly #running: Promise<void>;
  #isStopped = false;
  #wake = () => {};

  constructor(list: () => readonly string[], options: WatchOptions) {
    this.#list = list;
    this.#options = options;
    this.#detector = new ChangeDetector(options.sinceMs ?? Date.now());
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#end();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal, onChange } = this.#options;
    const end = () => this.#end();
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
    while (!this.#isStopped) {
      const facts = await gatherFacts(this.#list());
      if (!this.#isStopped && this.#detector.observe(facts, Date.now())) await onChange();
      await this.#pause();
    }
    signal?.removeEventListener("abort", end);
  }

  async #pause(): Promise<void> {
    if (this.#isStopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.intervalMs ?? 1000);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }

  #end(): void {
    this.#isStopped = true;
    this.#wake();
  }
}

/** What can be seen of a path without reading it. */
export interface PathFacts {
  /** Differs whenever the path may have other content. */
  readonly print: string;
  /** When its content or its name changed last, as far as it tells. */
  readonly changedMs: number;
}

/** Tells from facts that are gathered once an interval when a change is complete. */
export class ChangeDetector {
  #sinceMs: number;
  #known = new Map<string, string>();
  #pending: string | undefined;

  /** Paths count as changed if they changed after `sinceMs`. */
  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs;
  }

  /** Whether these facts, gathered at `nowMs`, are other ones than known, and the same as last time. */
  observe(facts: ReadonlyMap<string, PathFacts>, nowMs: number): boolean {
    for (const [path, { print, changedMs }] of facts) {
      if (!this.#known.has(path)) this.#known.set(path, changedMs < this.#sinceMs ? print : "");
    }
    const isChanged = [...facts].some(([path, { print }]) => this.#known.get(path) !== print);
    const seen = isChanged ? JSON.stringify([...facts]) : undefined;
    const isComplete = seen !== undefined && seen === this.#pending;
    this.#pending = isComplete ? undefined : seen;
    if (!isComplete) return false;
    this.#known = new Map([...facts].map(([path, { print }]) => [path, print]));
    this.#sinceMs = nowMs;
    return true;
  }
}

async function gatherFacts(paths: readonly string[]): Promise<Map<string, PathFacts>> {
  const facts = new Map<string, PathFacts>();
  for (const path of paths) facts.set(path, await gatherPathFacts(path));
  return facts;
}

async function gatherPathFacts(path: string): Promise<PathFacts> {
  try {
    const [real, stat] = await Promise.all([Deno.realPath(path), Deno.stat(path)]);
    const { dev, ino, mode, size } = stat;
    const times = [stat.mtime, stat.ctime].map((time) => time?.getTime() ?? 0);
    const own = {
      print: JSON.stringify([real, dev, ino, mode, size, ...times]),
      changedMs: Math.max(...times),
    };
    return stat.isDirectory ? await gatherFolderFacts(path, own) : own;
  } catch (error) {
    return { print: error instanceof Error ? error.name : String(error), changedMs: 0 };
  }
}

/** Other files of the folder do not count, though they change its own times. */
async function gatherFolderFacts(path: string, own: PathFacts): Promise<PathFacts> {
  const files = await gatherFacts((await listTomlFiles(path)).map((name) => join(path, name)));
  const changes = [...files.values()].map(({ changedMs }) => changedMs);
  return { print: JSON.stringify([...files]), changedMs: Math.max(own.changedMs, ...changes) };
}
