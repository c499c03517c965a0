import { join } from "node:path";

/** What answers the requests of one connection; `completed` settles when the answer was sent, or cannot be. */
export type InnerHandler = (request: Request, completed: Promise<void>) => Promise<Response>;

/** The runtime's HTTP server for one connection alone, and the end of that connection to write requests to. */
export interface InnerServer {
  readonly connection: Deno.Conn<Deno.Addr>;
  /** Lets the request under way end, then closes the connection. Whoever cuts that off closes the connection. */
  shutdown(): void;
}

/**
 * Starts an HTTP server for each connection that was decrypted. Because each has its own, what is known of the
 * connection is known of all its requests, and nothing that a client sends can say otherwise.
 *
 * The servers listen on unix sockets in a folder that only this user may enter, each for as long as it takes to
 * connect; where there is no such thing, on ports of the loopback, where they refuse all connections but their own.
 */
export class InnerServers {
  readonly #folder: string | undefined;
  #opened = 0;

  constructor(transport: "unix" | "tcp" = Deno.build.os === "windows" ? "tcp" : "unix") {
    this.#folder = transport === "unix" ? makeFolder() : undefined;
  }

  /** Starts a server and connects to it. */
  open(handler: InnerHandler): Promise<InnerServer> {
    return this.#folder === undefined
      ? openTcp(handler)
      : openUnix(handler, join(this.#folder, `${++this.#opened}`));
  }

  /** Removes what was made for them. */
  close(): void {
    if (this.#folder !== undefined) Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** A machine may have no folder for temporary files that can be written to: it does without. */
function makeFolder(): string | undefined {
  try {
    return Deno.makeTempDirSync({ prefix: "sreg-tls-" });
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

async function openUnix(handler: InnerHandler, path: string): Promise<InnerServer> {
  const server = Deno.serve(
    { path, onListen: () => {} },
    (request, { completed }) => handler(request, completed),
  );
  try {
    const connection = await Deno.connect({ transport: "unix", path });
    return { connection, shutdown: onlyOnce(server) };
  } catch (error) {
    void server.shutdown();
    throw error;
  } finally {
    Deno.removeSync(path);
  }
}

async function openTcp(handler: InnerHandler): Promise<InnerServer> {
  let port: number | undefined;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request, { completed, remoteAddr }) =>
      remoteAddr.port === port ? handler(request, completed) : new Response(null, { status: 403 }),
  );
  try {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    connection.setNoDelay(true);
    port = connection.localAddr.port;
    return { connection, shutdown: onlyOnce(server) };
  } catch (error) {
    void server.shutdown();
    throw error;
  }
}

function onlyOnce(server: Deno.HttpServer): () => void {
  let isDown = false;
  return () => {
    if (!isDown) void server.shutdown();
    isDown = true;
  };
}
