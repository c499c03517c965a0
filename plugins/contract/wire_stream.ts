import { PluginError } from "./error.ts";
import type { Bytes } from "./storage.ts";
import { type Chunk, CHUNK_BYTES_MAX, describeError, FRAME, type Post, STREAM_CREDITS } from "./wire.ts";

/** One end of a stream on the wire. */
export interface StreamEnd {
  /** Sends frames to the other end. */
  readonly post: Post;
  /** The id of the stream's call. */
  readonly id: number;
  /** Told when this end begins (`true`) or ceases to wait for the other one. */
  readonly waits?: (waiting: boolean) => void;
  /** Told once when this end has done its work: all is sent or all was taken, it failed, or nobody wants more. */
  readonly done?: () => void;
}

/** Sends a stream, as fast as the reader at the other end gives credit. */
export class Outlet {
  readonly #end: StreamEnd;
  readonly #reader: ByteReader;
  #credits = STREAM_CREDITS;
  #wake: (() => void) | undefined;
  #stopped = false;
  #error: { readonly reason: unknown } | undefined;

  /** Begins to send `body`. */
  constructor(body: Bytes, end: StreamEnd) {
    this.#end = end;
    this.#reader = openReader(body);
    void this.#run();
  }

  /** Why the source failed, if it did. */
  get error(): { readonly reason: unknown } | undefined {
    return this.#error;
  }

  /** One more chunk may be sent. Answers `false` where the reader has taken none that it had not said so of. */
  credit(): boolean {
    if (this.#credits === STREAM_CREDITS) return false;
    this.#credits++;
    this.#wake?.();
    return true;
  }

  /** No more is wanted: ends the source. Answers `false` where it has ended. */
  stop(reason?: unknown): boolean {
    if (this.#stopped) return false;
    this.#stopped = true;
    this.#wake?.();
    this.#reader.cancel(reason).catch(() => {});
    this.#end.done?.();
    return true;
  }

  async #run(): Promise<void> {
    const { post, id } = this.#end;
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (this.#stopped) return;
        if (done) break;
        if (!(value instanceof Uint8Array)) {
          throw new TypeError("Cannot send a stream: it holds what is no bytes");
        }
        await this.#send(value);
      }
      post([FRAME.end, id]);
    } catch (reason) {
      if (this.#stopped) return;
      this.#error = { reason };
      post([FRAME.broken, id, describeError(reason)]);
    }
    this.#stopped = true;
    this.#end.waits?.(true);
    this.#end.done?.();
  }

  async #send(value: Chunk): Promise<void> {
    const { post, id } = this.#end;
    for (let at = 0; at < value.byteLength && !this.#stopped; at += CHUNK_BYTES_MAX) {
      if (this.#credits === 0) await this.#waitForCredit();
      if (this.#stopped) return;
      this.#credits--;
      const whole = value.byteLength <= CHUNK_BYTES_MAX;
      const part = whole ? value : value.subarray(at, at + CHUNK_BYTES_MAX);
      post([FRAME.chunk, id, undefined, part], { give: whole && this.#reader.owns });
    }
  }

  async #waitForCredit(): Promise<void> {
    this.#end.waits?.(true);
    while (this.#credits === 0 && !this.#stopped) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#end.waits?.(false);
  }
}

/** Receives a stream. Whoever holds it removes it when it is told of the end; `done` tells of the reader's. */
export class Inlet {
  /** What arrives. */
  readonly body: Bytes;
  readonly #end: StreamEnd;
  readonly #queue: Chunk[] = [];
  #controller!: ReadableStreamDefaultController<Chunk>;
  #wake: (() => void) | undefined;
  #ended = false;
  #error: PluginError | undefined;

  /** A stream that nothing has arrived of yet. */
  constructor(end: StreamEnd) {
    this.#end = end;
    this.body = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#pull(),
      cancel: () => {
        this.#ended = true;
        end.post([FRAME.stop, end.id]);
        end.done?.();
      },
    }, { highWaterMark: 0 });
  }

  /** Takes a chunk. Answers `false` to one that nobody gave credit for, an empty one, one too large. */
  chunk(bytes: Chunk): boolean {
    if (this.#ended) return true;
    const { byteLength } = bytes;
    if (this.#queue.length >= STREAM_CREDITS || byteLength === 0 || byteLength > CHUNK_BYTES_MAX) {
      return false;
    }
    this.#queue.push(bytes);
    this.#wake?.();
    return true;
  }

  /** The stream is complete. */
  end(): void {
    this.#ended = true;
    if (this.#wake) this.#wake();
    else if (this.#queue.length === 0) this.#close();
  }

  /** The stream will not be complete. What had arrived is still read. */
  fail(error: PluginError): void {
    if (this.#ended) return;
    this.#error = error;
    this.end();
  }

  async #pull(): Promise<void> {
    if (this.#queue.length === 0 && !this.#ended) await this.#waitForChunk();
    const bytes = this.#queue.shift();
    if (bytes) {
      this.#controller.enqueue(bytes);
      if (!this.#ended) this.#end.post([FRAME.credit, this.#end.id]);
    }
    if (this.#ended && this.#queue.length === 0) this.#close();
  }

  async #waitForChunk(): Promise<void> {
    this.#end.waits?.(true);
    await new Promise<void>((resolve) => this.#wake = resolve);
    this.#wake = undefined;
    this.#end.waits?.(false);
  }

  #close(): void {
    try {
      if (this.#error) this.#controller.error(this.#error);
      else this.#controller.close();
    } catch {
      // Its reader has cancelled it meanwhile.
    }
  }
}

interface ByteReader {
  read(): Promise<ReadableStreamReadResult<Chunk>>;
  cancel(reason: unknown): Promise<void>;
  /** Whether its chunks' buffers are nobody else's. */
  readonly owns: boolean;
}

const READ_BYTES = 64 * 1024;

function openReader(body: Bytes): ByteReader {
  try {
    const reader = body.getReader({ mode: "byob" });
    const read = async () => await reader.read(new Uint8Array(READ_BYTES)) as ReadableStreamReadResult<Chunk>;
    return { read, cancel: (reason) => reader.cancel(reason), owns: true };
  } catch {
    // Not a byte stream: its chunks may be parts of what the source keeps.
    const reader = body.getReader();
    return { read: () => reader.read(), cancel: (reason) => reader.cancel(reason), owns: false };
  }
}
