import { PluginError } from "./error.ts";
import type { Bytes } from "./storage.ts";
import {
  type Channel,
  type ChannelEvents,
  type Chunk,
  FRAME,
  type Frame,
  readError,
  TEXT_MAX,
  type WireMethod,
  type WireMethods,
} from "./wire.ts";
import { Inlet, Outlet } from "./wire_stream.ts";

/** How long the host waits, in milliseconds. */
export interface WireLimits {
  /** For the plugin to load. */
  readonly startMs: number;
  /** For an answer, or the next chunk of a stream, while the plugin owes it. */
  readonly callMs: number;
  /** Between two questions whether it is alive. */
  readonly heartbeatMs: number;
  /** For any sign of life, before it is taken for hung. */
  readonly hungMs: number;
}

/** How a host is connected. */
export interface WireHostOptions {
  /** Names the plugin in messages: `storage plugin "s3"`. */
  readonly title: string;
  /** What may be called, and how it crosses. */
  readonly methods: WireMethods;
  /** How long it waits. */
  readonly limits: WireLimits;
  /** Opens the connection; its events may come at once. */
  readonly open: (events: ChannelEvents) => Channel;
  /** Told of a line that the plugin logs. */
  readonly onLog: (level: string, text: string) => void;
  /** Told once when the connection ended by itself, and why. */
  readonly onEnd: (reason: string) => void;
  /** Told of each call that has ended, and how long that took. */
  readonly onCall?: (name: string, ms: number, failed: boolean) => void;
}

interface Pending {
  readonly name: string;
  readonly method: WireMethod;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  outlet?: Outlet;
  readonly sentAtMs: number;
  dueAtMs: number;
}

interface OpenInlet {
  readonly inlet: Inlet;
  dueAtMs: number;
}

/** Frames that nobody asked for which a plugin may send at once, and per heartbeat. */
const UNSOLICITED_MAX = 1_000;
const UNSOLICITED_PER_BEAT = 100;

/** The core's end of the wire: calls, and streams to and from, one plugin, until it or its connection ends. */
export class WireHost {
  readonly #options: WireHostOptions;
  readonly #channel: Channel;
  readonly #pending = new Map<number, Pending>();
  readonly #inlets = new Map<number, OpenInlet>();
  readonly #timer: ReturnType<typeof setInterval>;
  #lastId = 0;
  #heardAtMs = performance.now();
  #beatAtMs = performance.now();
  #unsolicited = 0;
  #started = false;
  #ended: string | undefined;

  /** Opens the connection. */
  constructor(options: WireHostOptions) {
    this.#options = options;
    this.#channel = options.open({
      frame: (frame) => this.#receive(frame),
      gone: (reason) => this.end(reason),
      isIdle: () => this.#started && this.#pending.size + this.#inlets.size === 0,
    });
    this.#timer = setInterval(() => this.#beat(), options.limits.heartbeatMs);
  }

  /** Calls made so far. */
  get calls(): number {
    return this.#lastId;
  }

  /** Why the connection ended, once it has. */
  get endReason(): string | undefined {
    return this.#ended;
  }

  /** Has the plugin loaded. Answers the methods that it has; rejects with what it says is wrong. */
  async start(order: unknown): Promise<readonly string[]> {
    const method: WireMethod = { read: (names) => names };
    const started = this.#expect(0, "start", method, this.#options.limits.startMs);
    this.#channel.post([FRAME.start, 0, order]);
    const names = readNames(await started, this.#options.methods);
    this.#started = true;
    return names;
  }

  /** Calls a method; no argument at the end is `undefined`. Rejects with a `PluginError`, or, where the stream that was sent failed, with its error. */
  call(name: string, args: readonly unknown[]): Promise<unknown> {
    const method = this.#options.methods[name]!;
    const id = ++this.#lastId;
    const answered = this.#expect(id, name, method, this.#patience(method));
    const call = this.#pending.get(id);
    if (call) this.#send(id, call, args);
    else if (method.streamArgument !== undefined) abandon(args[method.streamArgument] as Bytes);
    return answered;
  }

  /** Ends the connection: everything under way fails with `reason`, at once. */
  end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#close(reason);
    this.#options.onEnd(reason);
  }

  /** Ends the connection on the core's own wish. Answers when the plugin is gone. */
  async close(): Promise<void> {
    if (this.#ended === undefined) this.#close("was stopped");
    await this.#channel.close();
  }

  #close(reason: string): void {
    this.#ended = reason;
    clearInterval(this.#timer);
    void this.#channel.close();
    for (const call of this.#pending.values()) this.#fail(call, this.#unavailable(call.name, reason));
    for (const { inlet } of this.#inlets.values()) inlet.fail(this.#unavailable("read", reason));
    this.#pending.clear();
    this.#inlets.clear();
  }

  #expect(id: number, name: string, method: WireMethod, waitMs: number): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#unavailable(name, this.#ended));
    return new Promise((resolve, reject) => {
      const sentAtMs = performance.now();
      this.#pending.set(id, { name, method, resolve, reject, sentAtMs, dueAtMs: sentAtMs + waitMs });
    });
  }

  #send(id: number, call: Pending, args: readonly unknown[]): void {
    const { post } = this.#channel;
    const { bytesArgument, streamArgument } = call.method;
    const beside = bytesArgument ?? streamArgument;
    if (beside === undefined) return post([FRAME.call, id, [call.name, ...args]]);
    const body = [call.name, ...args.slice(0, beside), null, ...args.slice(beside + 1)];
    if (streamArgument === undefined) return post([FRAME.call, id, body, args[beside] as Chunk]);
    post([FRAME.call, id, body]);
    // While the source is awaited the plugin owes nothing.
    call.dueAtMs = Infinity;
    call.outlet = new Outlet(args[beside] as Bytes, {
      post,
      id,
      waits: (waiting) => call.dueAtMs = this.#dueAtMs(call.method, waiting),
    });
  }

  #patience({ patience = 1 }: WireMethod): number {
    return this.#options.limits.callMs * patience;
  }

  #dueAtMs(method: WireMethod, waiting: boolean): number {
    return waiting ? performance.now() + this.#patience(method) : Infinity;
  }

  #receive(frame: unknown): void {
    if (this.#ended !== undefined) return;
    this.#heardAtMs = performance.now();
    if (!isFrame(frame)) return this.end("sent something that is no frame");
    const [type, id, body, bytes] = frame;
    switch (type) {
      case FRAME.answer:
        return this.#answer(id, body, bytes);
      case FRAME.failure:
        return this.#take(id, (call) => this.#fail(call, readError(body)));
      case FRAME.chunk:
        return this.#chunk(id, bytes);
      case FRAME.credit:
        return this.#pending.get(id)?.outlet?.credit() ? undefined : this.#stray();
      case FRAME.end:
        return this.#endInlet(id, (inlet) => inlet.end());
      case FRAME.broken:
        return this.#endInlet(id, (inlet) => inlet.fail(readError(body)));
      case FRAME.stop:
        return this.#pending.get(id)?.outlet?.stop() ? undefined : this.#stray();
      case FRAME.pong:
        return this.#stray();
      case FRAME.log:
        return this.#log(body);
      default:
        return this.end(`sent a frame of the unknown type ${type}`);
    }
  }

  #answer(id: number, body: unknown, bytes: Chunk | undefined): void {
    const call = this.#pending.get(id);
    if (!call) return this.#stray();
    this.#pending.delete(id);
    call.outlet?.stop();
    const sourceError = call.outlet?.error;
    if (sourceError) return call.reject(sourceError.reason);
    try {
      const answer = call.method.read(this.#assemble(id, call.method, body, bytes));
      this.#count(call, this.#heardAtMs, false);
      call.resolve(answer);
    } catch (error) {
      this.#count(call, this.#heardAtMs, true);
      const { message } = error as Error;
      if (this.#inlets.delete(id)) this.#channel.post([FRAME.cancel, id]);
      call.reject(this.#failed(call.name, `its answer is malformed: ${message}`));
    }
  }

  /** The answer as the plugin gave it, with what crossed beside it. */
  #assemble(id: number, method: WireMethod, body: unknown, bytes?: Chunk): unknown {
    const { bytesAnswer, streamAnswer } = method;
    if (typeof body !== "object" || body === null) return body;
    if (bytesAnswer !== undefined) return { ...body, [bytesAnswer]: bytes };
    return streamAnswer === undefined ? body : { ...body, [streamAnswer]: this.#openInlet(id, method) };
  }

  #openInlet(id: number, method: WireMethod): Bytes {
    const inlet = new Inlet({
      post: this.#channel.post,
      id,
      waits: (waiting) => open.dueAtMs = this.#dueAtMs(method, waiting),
      done: () => this.#inlets.delete(id),
    });
    const open: OpenInlet = { inlet, dueAtMs: Infinity };
    this.#inlets.set(id, open);
    return inlet.body;
  }

  #chunk(id: number, bytes: Chunk | undefined): void {
    const open = this.#inlets.get(id);
    if (!open) return this.#stray();
    if (!bytes || !open.inlet.chunk(bytes)) this.end("sent more of a stream than it had credit for");
  }

  #endInlet(id: number, act: (inlet: Inlet) => void): void {
    const open = this.#inlets.get(id);
    if (!open) return this.#stray();
    this.#inlets.delete(id);
    act(open.inlet);
  }

  #take(id: number, act: (call: Pending) => void): void {
    const call = this.#pending.get(id);
    if (!call) return this.#stray();
    this.#pending.delete(id);
    act(call);
  }

  #fail(call: Pending, error: PluginError): void {
    call.outlet?.stop(error);
    const sourceError = call.outlet?.error;
    this.#count(call, performance.now(), error.code !== "conflict");
    call.reject(sourceError ? sourceError.reason : error);
  }

  #count({ name, sentAtMs }: Pending, nowMs: number, failed: boolean): void {
    if (this.#started) this.#options.onCall?.(name, nowMs - sentAtMs, failed);
  }

  #log(body: unknown): void {
    this.#stray();
    const [level, text] = Array.isArray(body) ? body : [];
    if (typeof level === "string" && typeof text === "string") {
      this.#options.onLog(level.slice(0, 10), text.slice(0, TEXT_MAX));
    }
  }

  /** Counts a frame that nobody asked for: a few are late answers, many are a flood. */
  #stray(): void {
    if (++this.#unsolicited > UNSOLICITED_MAX) this.end("flooded the host with messages");
  }

  #beat(): void {
    const { heartbeatMs, hungMs } = this.#options.limits;
    const nowMs = performance.now();
    // Where this process itself was held up, the plugin's answers may still be on their way.
    if (nowMs - this.#beatAtMs > 2 * heartbeatMs) this.#heardAtMs = nowMs;
    this.#beatAtMs = nowMs;
    if (this.#started && nowMs - this.#heardAtMs > hungMs) {
      return this.end(`hung: it gave no sign of life for ${hungMs} ms`);
    }
    this.#unsolicited = Math.max(0, this.#unsolicited - UNSOLICITED_PER_BEAT);
    if (this.#started) this.#channel.post([FRAME.ping, 0]);
    this.#expire(nowMs);
  }

  #expire(nowMs: number): void {
    for (const [id, call] of this.#pending) {
      if (call.dueAtMs > nowMs) continue;
      if (id === 0) return this.end(`did not start within ${this.#options.limits.startMs} ms`);
      this.#pending.delete(id);
      this.#channel.post([FRAME.cancel, id]);
      this.#fail(call, this.#unavailable(call.name, "did not answer in time"));
    }
    for (const [id, { inlet, dueAtMs }] of this.#inlets) {
      if (dueAtMs > nowMs) continue;
      this.#inlets.delete(id);
      this.#channel.post([FRAME.cancel, id]);
      inlet.fail(this.#unavailable("read", "did not go on with its stream in time"));
    }
  }

  #unavailable(name: string, reason: string): PluginError {
    return new PluginError("unavailable", `Cannot ${name}: ${this.#options.title} ${reason}`);
  }

  #failed(name: string, reason: string): PluginError {
    return new PluginError("failed", `Cannot ${name}: ${this.#options.title}: ${reason}`);
  }
}

function abandon(body: Bytes): void {
  body.cancel().catch(() => {});
}

function isFrame(frame: unknown): frame is Frame {
  if (!Array.isArray(frame)) return false;
  const [type, id, , bytes] = frame;
  return Number.isInteger(type) && Number.isInteger(id) &&
    (bytes === undefined || (bytes instanceof Uint8Array && bytes.buffer instanceof ArrayBuffer));
}

function readNames(names: unknown, methods: WireMethods): string[] {
  if (!Array.isArray(names)) throw new TypeError("expected the names of its methods");
  const missing = Object.keys(methods).filter((name) => !methods[name]!.optional && !names.includes(name));
  if (missing.length > 0) throw new TypeError(`it has no method ${missing.join(", ")}`);
  return names.filter((name) => Object.hasOwn(methods, name));
}
