import { PluginError } from "./error.ts";
import type { Bytes } from "./storage.ts";
import {
  type Chunk,
  describeError,
  FRAME,
  type Frame,
  type Post,
  readError,
  type WireMethods,
} from "./wire.ts";
import { Inlet, Outlet } from "./wire_stream.ts";

/** What a guest serves. */
export interface WireGuestOptions {
  /** What the plugin's `create` answered. */
  readonly contract: object;
  readonly methods: WireMethods;
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
        return this.#outlets.get(id)?.credit();
      case FRAME.stop:
        return this.#outlets.get(id)?.stop();
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
    const { bytesAnswer, streamAnswer } = this.#rows[name]!;
    const beside = bytesAnswer ?? streamAnswer;
    const awaited = this.#settle(id);
    if (beside === undefined || typeof answer !== "object" || answer === null) {
      return void (awaited && this.#post([FRAME.answer, id, answer]));
    }
    const { [beside]: value, ...plain } = answer as Record<string, unknown>;
    if (streamAnswer !== undefined) return this.#answerStream(id, plain, awaited, value as Bytes);
    if (awaited) this.#post([FRAME.answer, id, plain, value as Chunk]);
  }

  #answerStream(id: number, plain: object, awaited: boolean, body: Bytes): void {
    if (!awaited) return void body.cancel().catch(() => {});
    this.#post([FRAME.answer, id, plain]);
    this.#outlets.set(id, new Outlet(body, { post: this.#post, id, done: () => this.#outlets.delete(id) }));
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
