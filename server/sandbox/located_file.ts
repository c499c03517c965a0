import { isAbsolute } from "node:path";
import { PluginError } from "../../plugins/contract/error.ts";
import type { Bytes, ByteSpan, LocatedFile, OpenedObject } from "../../plugins/contract/storage.ts";
import { isWithin, type PluginPermissions } from "./permissions.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** What a storage plugin that locates its objects is used through. */
export interface LocatedOptions {
  readonly permissions: PluginPermissions;
  /** Told when the plugin points to where it may not go itself. */
  readonly onBreach: (reason: string) => void;
}

/** A file is read into buffers of the first size, and, while few are read at once, then of the second. */
const FIRST_BYTES = 256 * 1024;
const LARGE_BYTES = 1024 * 1024;
const LARGE_READERS_MAX = 4;

/** How much is written before the disk is told to begin. */
const FLUSH_BYTES = 4 * 1024 * 1024;

/** The runtime's reads of a request's body cost by the size of the buffer, however little comes: clients send 32 KiB. */
const APPEND_BYTES = 32 * 1024;

/**
 * Opens what a plugin points to, if it is a regular file inside a folder that the plugin was granted, links resolved;
 * `undefined` where nothing is there. Anything else is a breach, of which the options are told.
 */
export function openLocated(
  { file: path }: LocatedFile,
  access: "read" | "write",
  options: LocatedOptions,
): Deno.FsFile | undefined {
  try {
    if (!isAbsolute(path) || path.includes("\0")) throw breach(path, options);
    const real = Deno.realPathSync(path);
    const facts = Deno.lstatSync(real);
    if (!isGranted(real, options.permissions[access] ?? []) || !facts.isFile) throw breach(path, options);
    const file = Deno.openSync(real, access === "read" ? { read: true } : { append: true });
    if (isSame(file, { facts, path, real })) return file;
    file.close();
    throw breach(path, options);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw asPluginError(error, `Cannot open ${path}`);
  }
}

function isGranted(real: string, grants: readonly string[]): boolean {
  // A real path has no links, so a grant that it begins with has none either, and need not be resolved.
  return grants.some((grant) => isInside(grant, real) || isInside(Deno.realPathSync(grant), real));
}

function isInside(folder: string, path: string): boolean {
  return path !== folder && isWithin(folder, path);
}

/** Whether what was opened is what was looked at: no link has taken its place meanwhile. */
function isSame(
  file: Deno.FsFile,
  { facts, path, real }: { readonly facts: Deno.FileInfo; readonly path: string; readonly real: string },
): boolean {
  const { ino, dev } = file.statSync();
  return ino === facts.ino && dev === facts.dev && Deno.realPathSync(path) === real;
}

/**
 * Locks a file that is to be written until it is closed. Answers `false` where another process has locked it, or has moved
 * it while it was opened: what is written now would come to whatever it has become.
 */
export function claimFile(file: Deno.FsFile, { file: path }: LocatedFile): boolean {
  if (!file.tryLockSync(true)) return false;
  try {
    const [there, here] = [Deno.statSync(path), file.statSync()];
    return there.ino === here.ino && there.dev === here.dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw asPluginError(error, `Cannot open ${path}`);
  }
}

function breach(path: string, { onBreach }: LocatedOptions): PluginError {
  const reason = `located an object where it may not go: ${path}`;
  onBreach(reason);
  return new PluginError("failed", `Cannot open a located file: the plugin ${reason}`);
}

/** An object whose bytes are a file's. The file is closed with its body. */
export function readFile(file: Deno.FsFile, span: ByteSpan | undefined): OpenedObject {
  const { size, mtime } = file.statSync();
  const { offset, length } = span ?? { offset: 0, length: size };
  if (offset > 0) file.seekSync(offset, Deno.SeekMode.Start);
  return { size, modifiedAtMs: mtime?.getTime() ?? 0, body: fileBytes(file, length) };
}

let readers = 0;

/** The next `length` bytes of a file, which is closed at their end. */
function fileBytes(file: Deno.FsFile, length: number): Bytes {
  let left = length;
  let bufferBytes = FIRST_BYTES;
  readers++;
  const close = () => {
    readers--;
    file.close();
  };
  const next = () => {
    // A buffer of its own for each chunk: it may still be on its way out when the next one is read.
    const buffer = new Uint8Array(Math.min(left, bufferBytes));
    bufferBytes = readers > LARGE_READERS_MAX ? FIRST_BYTES : LARGE_BYTES;
    const read = readSync(file, buffer);
    left -= read;
    return buffer.subarray(0, read);
  };
  const pull = (controller: ReadableStreamDefaultController<Chunk>) => {
    try {
      if (left > 0) controller.enqueue(next());
      if (left > 0) return;
    } catch (error) {
      close();
      throw error;
    }
    close();
    controller.close();
  };
  return new ReadableStream({ pull, cancel: close }, { highWaterMark: 0 });
}

function readSync(file: Deno.FsFile, buffer: Chunk): number {
  try {
    const read = file.readSync(buffer);
    if (read !== null) return read;
    throw new PluginError("failed", "Cannot read a located file: it is shorter than it was");
  } catch (error) {
    throw asPluginError(error, "Cannot read a located file");
  }
}

/** Writes `body` at the end of a file that is `offset` bytes long. Answers its new length. */
export async function appendFile(
  file: Deno.FsFile,
  offset: number,
  body: Bytes,
): Promise<{ readonly size: number }> {
  const flusher = new Flusher(file);
  let size = offset;
  try {
    for await (const chunk of readChunks(body)) {
      writeAll(file, chunk);
      size += chunk.byteLength;
      flusher.wrote(chunk.byteLength);
    }
  } finally {
    await flusher.end(offset);
  }
  return { size };
}

/** Has the disk begin while bytes still come: when the whole is made durable, most of it already is. */
class Flusher {
  readonly #file: Deno.FsFile;
  #waiting = 0;
  #busy = false;
  #flush: Promise<void> = Promise.resolve();

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  wrote(bytes: number): void {
    this.#waiting += bytes;
    if (this.#busy || this.#waiting < FLUSH_BYTES) return;
    this.#waiting = 0;
    this.#busy = true;
    this.#flush = this.#flush.then(() => this.#file.syncData()).finally(() => this.#busy = false);
    this.#flush.catch(() => {});
  }

  /** Waits for what is under way. Of a disk that failed nothing can be believed: what was appended is taken back. */
  async end(offset: number): Promise<void> {
    try {
      await this.#flush;
    } catch (error) {
      this.#file.truncateSync(offset);
      throw asPluginError(error, "Cannot flush a located file");
    }
  }
}

/** The chunks of a body, each only until the next is asked for: one buffer serves them all where the body takes it. */
async function* readChunks(body: Bytes): AsyncGenerator<Chunk> {
  const reader = byobReader(body);
  if (!reader) return yield* body;
  let buffer = new ArrayBuffer(APPEND_BYTES);
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      ended = done;
      if (done) return;
      yield value as Chunk;
      buffer = value.buffer as ArrayBuffer;
    }
  } finally {
    if (!ended) reader.cancel().catch(() => {});
  }
}

function byobReader(body: Bytes): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    // Not a byte stream: it brings buffers of its own.
    return undefined;
  }
}

function writeAll(file: Deno.FsFile, bytes: Chunk): void {
  try {
    for (let at = 0; at < bytes.byteLength;) at += file.writeSync(at === 0 ? bytes : bytes.subarray(at));
  } catch (error) {
    throw asPluginError(error, "Cannot append to a located file");
  }
}

const PASSING = ["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EAGAIN"];

/** Full disks and too many open files pass; anything else does not. */
function asPluginError(error: unknown, action: string): PluginError {
  if (error instanceof PluginError) return error;
  const { code = "", message } = error as { code?: string; message: string };
  return new PluginError(PASSING.includes(code) ? "unavailable" : "failed", `${action}: ${message}`, {
    cause: error,
  });
}
