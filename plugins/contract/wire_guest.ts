import { PluginError } from "./error.ts";
import type { Bytes } from "./storage.ts";
import {
  type Chunk,
  describeError,
  FRAME,
  type Frame,
  type Post,
  readError,
  type WireMethod,
  type WireMethods,
} from "./wire.ts";
import { Inlet, Outlet } from "./wire_stream.ts";

/** What a guest serves. */
export interface WireGuestOptions {
  /** What the plugin's `create` answered. */
  readonly contract: object;
  /** How its methods cross the wire. */
  readonly methods: WireMethods;
  /** Sends frames to the host. */
  readonly post: Post;
}

type Method = (...args: unknown[]) => unknown;

/** The plugin's end of the wire: serves the host's calls with a contract. */
export class WireGuest {
  readonly #methods = new Map<string, Method>();
  readonly #rows: WireMethods;
  readonly #post: Post;
  readonly #inlets = new Map<number, Inlet>();
  readonly #outlets = new Map<number, Outlet>();
  /** Calls whose answer is awaited. */
  readonly #running = new Set<number>();

  /** Serves the methods of the contract that the plugin has. */
  constructor({ contract, methods, post }: WireGuestOptions) {
    this.#rows = methods;
    this.#post = post;
    for (const name of Object.keys(methods)) {
      const method = (contract as Record<string, unknown>)[name];
      if (typeof method === "function") this.#methods.set(name, method.bind(contract));
    }
  }

  /** The methods of the contract that it has. */
  get methods(): string[] {
    return [...this.#methods.keys()];
  }

  /** Takes a frame of the host's. */
  receive([type, id, body, bytes]: Frame): void {
    switch (type) {
      case FRAME.call:
        return this.#call(id, body as [string, ...unknown[]], bytes);
      case FRAME.cancel:
        return this.#cancel(id);
      case FRAME.chunk:
        return void this.#inlets.get(id)?.chunk(bytes!);
      case FRAME.end:
        return this.#takeInlet(id)?.end();
      case FRAME.broken:
        return this.#takeInlet(id)?.fail(readError(body));
      case FRAME.credit:
        return void this.#outlets.get(id)?.credit();
      case FRAME.stop:
        return void this.#outlets.get(id)?.stop();
      case FRAME.ping:
        return this.#post([FRAME.pong, 0]);
    }
  }

  #call(id: number, [name, ...args]: [string, ...unknown[]], bytes: Chunk | undefined): void {
    const method = this.#methods.get(name);
    const row = this.#rows[name];
    if (!method || !row) return this.#post([FRAME.failure, id, ["failed", `no method ${name}`]]);
    if (row.bytesArgument !== undefined) args[row.bytesArgument] = bytes;
    if (row.streamArgument !== undefined) args[row.streamArgument] = this.#openInlet(id);
    this.#running.add(id);
    try {
      Promise.resolve(method(...args)).then(
        (answer) => this.#answer(id, name, answer),
        (error) => this.#fail(id, error),
      );
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #answer(id: number, name: string, answer: unknown): void {
    if (!this.#settle(id)) return discard(answer);
    try {
      this.#postAnswer(id, this.#rows[name]!, answer);
    } catch (error) {
      // It cannot be sent: it holds a function, or a cycle.
      this.#post([FRAME.failure, id, describeError(error)]);
    }
  }

  #postAnswer(id: number, { bytesAnswer, streamAnswer }: WireMethod, answer: unknown): void {
    const beside = bytesAnswer ?? streamAnswer;
    if (beside === undefined || !isRecord(answer)) return this.#post([FRAME.answer, id, answer]);
    const { [beside]: value, ...plain } = answer;
    if (bytesAnswer !== undefined) {
      if (!(value instanceof Uint8Array)) throw new TypeError(`Cannot answer: its ${beside} is no bytes`);
      return this.#post([FRAME.answer, id, plain, value as Chunk]);
    }
    if (!(value instanceof ReadableStream)) throw new TypeError(`Cannot answer: its ${beside} is no stream`);
    this.#post([FRAME.answer, id, plain]);
    const done = () => this.#outlets.delete(id);
    this.#outlets.set(id, new Outlet(value, { post: this.#post, id, done }));
  }

  #fail(id: number, error: unknown): void {
    if (this.#settle(id)) this.#post([FRAME.failure, id, describeError(error)]);
  }

  /** The call ended; whether its answer is awaited. */
  #settle(id: number): boolean {
    this.#inlets.delete(id);
    return this.#running.delete(id);
  }

  #openInlet(id: number): Bytes {
    const inlet = new Inlet({ post: this.#post, id });
    this.#inlets.set(id, inlet);
    return inlet.body;
  }

  #takeInlet(id: number): Inlet | undefined {
    const inlet = this.#inlets.get(id);
    this.#inlets.delete(id);
    return inlet;
  }

  #cancel(id: number): void {
    this.#running.delete(id);
    this.#takeInlet(id)?.fail(new PluginError("unavailable", "Cannot read the body: its call was given up"));
    this.#outlets.get(id)?.stop();
  }
}

/** Ends the streams of an answer that nobody waits for. */
function discard(answer: unknown): void {
  if (!isRecord(answer)) return;
  for (const value of Object.values(answer)) {
    if (value instanceof ReadableStream) value.cancel().catch(() => {});
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
