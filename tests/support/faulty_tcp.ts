import { endConnection, writeAll } from "./http_wire.ts";
import { Loopback } from "./loopback.ts";

const READ_BYTES = 64 * 1024;

/** A proxy of plain TCP for tests, between sreg and what it speaks to in another language than HTTP: Redis. */
export class FaultyTcp implements AsyncDisposable {
  readonly #loopback = new Loopback((connection) => this.#serve(connection));
  readonly #port: number;
  #delayMs = 0;
  #opened = Promise.resolve();
  #open: () => void = () => {};

  /** `port`: where the server listens, on loopback. */
  constructor(port: number) {
    this.#port = port;
  }

  /** What is to be taken for the server's port. */
  get port(): number {
    return this.#loopback.port;
  }

  /** Refuses connections from now on, and ends those that there are. */
  refuse(): void {
    this.#loopback.refuse();
  }

  /** Takes connections again. */
  accept(): void {
    this.#loopback.accept();
  }

  /** Ends the connections that there are. */
  cut(): void {
    this.#loopback.cut();
  }

  /** Holds all that comes, in both directions, for this long from now on. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Takes connections and bytes, and lets nothing through until `pass`. */
  blackHole(): void {
    ({ promise: this.#opened, resolve: this.#open } = Promise.withResolvers());
  }

  /** Lets through what waits, and all that comes. */
  pass(): void {
    this.#delayMs = 0;
    this.#open();
  }

  /** Ends all connections. */
  [Symbol.asyncDispose](): Promise<void> {
    this.pass();
    return this.#loopback[Symbol.asyncDispose]();
  }

  async #serve(client: Deno.Conn): Promise<void> {
    const server = await this.#loopback.connect(this.#port);
    try {
      await Promise.race([this.#carry(client, server), this.#carry(server, client)]);
    } finally {
      this.#loopback.end(server);
    }
  }

  async #carry(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    try {
      const buffer = new Uint8Array(READ_BYTES);
      for (let length; (length = await from.read(buffer)) !== null;) {
        if (this.#delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#delayMs));
        await this.#opened;
        await writeAll(to, buffer.subarray(0, length));
      }
    } finally {
      endConnection(to);
    }
  }
}
