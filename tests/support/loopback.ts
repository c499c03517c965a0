import { endConnection } from "./http_wire.ts";

/** Listens on a port of loopback, and can stop and begin again to do so on the same one. */
export class Loopback implements AsyncDisposable {
  /** The port, the same all the time. */
  readonly port: number;
  readonly #serve: (connection: Deno.TcpConn) => Promise<void>;
  readonly #connections = new Set<Deno.Conn>();
  readonly #works = new Set<Promise<void>>();
  #listener: Deno.TcpListener | undefined;

  /** Listens, and has each connection served until `serve` is done with it. */
  constructor(serve: (connection: Deno.TcpConn) => Promise<void>) {
    this.#serve = serve;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#watch(this.#acceptFrom(this.#listener));
  }

  /** Refuses connections from now on, and ends those that there are. */
  refuse(): void {
    this.#listener?.close();
    this.#listener = undefined;
    this.cut();
  }

  /** Takes connections again. */
  accept(): void {
    if (this.#listener) return;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#watch(this.#acceptFrom(this.#listener));
  }

  /** Ends the connections that there are. */
  cut(): void {
    for (const connection of this.#connections) endConnection(connection);
  }

  /** Connects to a port of loopback, for the time that the connection it is made for lasts. Throws where it is refused. */
  async connect(port: number): Promise<Deno.TcpConn> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay();
    this.#connections.add(connection);
    return connection;
  }

  /** Ends a connection that `connect` made. */
  end(connection: Deno.Conn): void {
    this.#connections.delete(connection);
    endConnection(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refuse();
    await Promise.all(this.#works);
  }

  async #acceptFrom(listener: Deno.TcpListener): Promise<void> {
    try {
      for await (const connection of listener) {
        connection.setNoDelay();
        this.#connections.add(connection);
        this.#watch(this.#serve(connection).finally(() => this.end(connection)));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  /** What breaks a connection is for its two ends to see, not for who stands between. */
  #watch(work: Promise<void>): void {
    const watched: Promise<void> = work.catch(() => {}).finally(() => this.#works.delete(watched));
    this.#works.add(watched);
  }
}
