import type { TlsOptions, TLSSocket } from "node:tls";
import { DecryptedBytes } from "./decrypted_bytes.ts";
import { closeQuietly, EncryptedStream, writeAll } from "./encrypted_stream.ts";
import { shakeHands } from "./handshake.ts";
import type { InnerServer, InnerServers } from "./inner_server.ts";
import type { Connection, Handler } from "./listener.ts";

/** How long to wait for whom, in milliseconds. */
export interface Deadlines {
  readonly handshakeMs: number;
  readonly headerMs: number;
  readonly idleMs: number;
}

/** What all connections of a listener share. */
export interface TlsConnectionOptions {
  readonly tls: TlsOptions;
  readonly handler: Handler;
  readonly innerServers: InnerServers;
  readonly deadlines: Deadlines;
}

/** How long a client may take to close a connection that was closed to it; without it a last answer could get lost. */
const LINGER_MS = 2000;
/** What is read of an answer at once: little while connections are idle, for there are many, much of what is large. */
const ANSWER_BYTES = { small: 16 * 1024, large: 256 * 1024 } as const;

/** One client's connection: its handshake, its requests one after the other, its deadlines, its end. */
export class TlsConnection {
  readonly #options: TlsConnectionOptions;
  readonly #clientAddress: string;
  readonly #stream: EncryptedStream;
  #inner: InnerServer | undefined;
  #deadline: number;
  #writeDeadline = Infinity;
  #requests = 0;
  #isIdle = false;
  #isClosing = false;

  constructor(connection: Deno.TcpConn, options: TlsConnectionOptions) {
    this.#options = options;
    this.#clientAddress = connection.remoteAddr.hostname;
    this.#stream = new EncryptedStream(connection);
    this.#deadline = performance.now() + options.deadlines.handshakeMs;
  }

  /** Serves the connection to its end. Never fails: a connection that goes wrong is closed, and so its client told. */
  async run(): Promise<void> {
    try {
      await this.#serve();
    } catch {
      // There is nobody to tell but the client, and the connection's end tells it.
    } finally {
      this.destroy();
    }
  }

  /** Lets the request under way end, then closes the connection. */
  shutdown(): void {
    this.#isClosing = true;
    if (this.#inner === undefined) this.destroy();
    else this.#inner.shutdown();
  }

  /** Closes the connection at once. */
  destroy(): void {
    this.#isClosing = true;
    this.#stream.destroy();
    if (this.#inner === undefined) return;
    closeQuietly(this.#inner.connection);
    this.#inner.shutdown();
  }

  /** Closes the connection if the client let a deadline pass. */
  expire(now: number): void {
    if (now > this.#deadline || now > this.#writeDeadline) this.destroy();
  }

  async #serve(): Promise<void> {
    const { tls, innerServers, deadlines } = this.#options;
    const { socket, certificate } = await shakeHands(this.#stream, tls);
    const decrypted = new DecryptedBytes(socket);
    this.#stream.watch(() => decrypted.length);
    socket.on("error", () => this.destroy());
    this.#waitFor(deadlines.headerMs);
    const connection = { clientAddress: this.#clientAddress, certificate };
    const inner = await innerServers.open((request, done) => this.#answer(request, { connection, done }));
    this.#inner = inner;
    if (this.#isClosing) return;
    await Promise.all([
      this.#sendRequests(decrypted, inner.connection),
      this.#sendAnswers(socket, inner.connection),
    ]);
  }

  #answer(
    request: Request,
    { connection, done }: { connection: Connection; done: Promise<void> },
  ): Promise<Response> {
    this.#requests++;
    this.#isIdle = false;
    this.#waitFor(Infinity);
    const completed = () => this.#completed();
    done.then(completed, completed);
    return this.#options.handler(request, connection);
  }

  #completed(): void {
    if (--this.#requests > 0) return;
    this.#isIdle = true;
    this.#waitFor(this.#options.deadlines.idleMs);
  }

  #waitFor(milliseconds: number): void {
    if (!this.#isClosing) this.#deadline = performance.now() + milliseconds;
  }

  async #sendRequests(decrypted: DecryptedBytes, inner: Deno.Conn<Deno.Addr>): Promise<void> {
    let isAnswered = false;
    for (let bytes = await decrypted.take(); bytes !== null; bytes = await decrypted.take()) {
      this.#stream.proceed();
      if (this.#isIdle) {
        this.#isIdle = false;
        this.#waitFor(this.#options.deadlines.headerMs);
      }
      // What comes after the last answer is read and dropped, so that the answer gets to a client that still sends.
      if (!isAnswered) await writeAll(inner, bytes).catch(() => isAnswered = true);
    }
    if (!isAnswered) await inner.closeWrite();
  }

  async #sendAnswers(socket: TLSSocket, inner: Deno.Conn<Deno.Addr>): Promise<void> {
    let buffer = new Uint8Array(ANSWER_BYTES.small);
    for (let count = await inner.read(buffer); count !== null; count = await inner.read(buffer)) {
      this.#writeDeadline = performance.now() + this.#options.deadlines.idleMs;
      await write(socket, buffer.subarray(0, count));
      this.#writeDeadline = Infinity;
      const size = count < ANSWER_BYTES.small ? ANSWER_BYTES.small : ANSWER_BYTES.large;
      if (size !== buffer.length) buffer = new Uint8Array(size);
    }
    this.#isClosing = true;
    this.#deadline = performance.now() + LINGER_MS;
    socket.end();
  }
}

function write(socket: TLSSocket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => error ? reject(error) : resolve());
  });
}
