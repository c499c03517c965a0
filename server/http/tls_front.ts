import type { TlsOptions as HandshakeOptions } from "node:tls";
import { prepareTls } from "./certificates.ts";
import { InnerServers } from "./inner_server.ts";
import {
  bindTo,
  formatUrl,
  type Handler,
  type Listener,
  type ListenOptions,
  type TlsOptions,
} from "./listener.ts";
import { type Deadlines, TlsConnection } from "./tls_connection.ts";

/** Where to listen, and with what certificates. */
export interface TlsListenOptions extends ListenOptions {
  readonly tls: TlsOptions;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
const HEADER_TIMEOUT_MS = 15_000;
const IDLE_TIMEOUT_MS = 75_000;
const CONNECTIONS_MAX = 2048;

/** How long to wait after a connection could not be accepted: what was short, mostly descriptors, takes time. */
const ACCEPT_PAUSE_MS = 50;

/**
 * Listens for TLS, and hands what it decrypts to the runtime's own HTTP server. The runtime's server can speak TLS by
 * itself, but knows neither clients' certificates nor deadlines nor other certificates than those it began with.
 */
export class TlsFront implements Listener {
  readonly url: string;
  readonly #listener: Deno.TcpListener;
  readonly #handler: Handler;
  readonly #deadlines: Deadlines;
  readonly #connectionsMax: number;
  readonly #innerServers: InnerServers;
  /** What serves each connection, until it is gone. */
  readonly #connections = new Map<TlsConnection, Promise<void>>();
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #accepting: Promise<void>;
  #tls: HandshakeOptions;
  #isClosed = false;
  #makeRoom = () => {};

  constructor(options: TlsListenOptions, handler: Handler) {
    this.#tls = prepareTls(options.tls);
    this.#handler = handler;
    this.#connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX;
    this.#deadlines = {
      handshakeMs: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
      headerMs: options.headerTimeoutMs ?? HEADER_TIMEOUT_MS,
      idleMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
    };
    const { hostname, port } = options;
    this.#listener = bindTo(options, () => Deno.listen({ hostname, port }));
    this.url = formatUrl("https", this.#listener.addr);
    this.#innerServers = new InnerServers();
    this.#sweeper = setInterval(() => this.#sweep(), sweepIntervalMs(this.#deadlines));
    this.#accepting = this.#accept();
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#connections.size;
  }

  async close(graceMs: number): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
    this.#makeRoom();
    for (const connection of this.#connections.keys()) connection.shutdown();
    const timer = setTimeout(() => this.#destroyAll(), graceMs);
    await this.#accepting;
    await Promise.all(this.#connections.values());
    clearTimeout(timer);
    clearInterval(this.#sweeper);
    this.#innerServers.close();
  }

  replaceTls(tls: TlsOptions): () => void {
    const before = this.#tls;
    this.#tls = prepareTls(tls);
    return () => void (this.#tls = before);
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#room();
        if (!this.#isClosed) this.#serve(await this.#listener.accept());
      } catch {
        if (!this.#isClosed) await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  async #room(): Promise<void> {
    while (this.#connections.size >= this.#connectionsMax && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#makeRoom = resolve);
    }
  }

  #serve(accepted: Deno.TcpConn): void {
    // Without it, an answer's end waits for the client to acknowledge what came before: 40 ms.
    accepted.setNoDelay(true);
    const connection = new TlsConnection(accepted, {
      tls: this.#tls,
      handler: this.#handler,
      innerServers: this.#innerServers,
      deadlines: this.#deadlines,
    });
    const gone = connection.run().then(() => {
      this.#connections.delete(connection);
      this.#makeRoom();
    });
    this.#connections.set(connection, gone);
  }

  #sweep(): void {
    const now = performance.now();
    for (const connection of this.#connections.keys()) connection.expire(now);
  }

  #destroyAll(): void {
    for (const connection of this.#connections.keys()) connection.destroy();
  }
}

/** Often enough that no deadline is missed by much more than a tenth, and never more than each 10 ms. */
function sweepIntervalMs({ handshakeMs, headerMs, idleMs }: Deadlines): number {
  return Math.max(10, Math.min(handshakeMs, headerMs, idleMs, 10_000) / 10);
}
