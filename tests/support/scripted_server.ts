/** An HTTP server on loopback whose every answer the test writes, byte by byte: right, wrong, late, cut or none. */

/** A request as it came. */
export interface ScriptedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Headers;
  /** What had arrived of the body when the answer began. */
  readonly body: Uint8Array;
}

/** What is done about a request; the connection ends after it where it answers, or promises, "close". */
export type Step = (
  request: ScriptedRequest,
  connection: Deno.TcpConn,
) => unknown;

/** A server that runs. */
export interface ScriptedServer extends Disposable {
  /** Its URL, without a slash at the end. */
  readonly url: string;
  /** What came, in its order. */
  readonly requests: readonly ScriptedRequest[];
  /** How many connections are open. */
  open(): number;
}

/** How a server is started. */
export interface ScriptOptions {
  readonly port?: number;
  /** So many bytes of each body are read before the step begins; default: all. */
  readonly bodyBytesMax?: number;
}

const HEAD_END = "\r\n\r\n";

/** Starts a server that takes one step a request, and the last one again for all that follow. */
export function startScripted(steps: readonly Step[], options: ScriptOptions = {}): ScriptedServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: options.port ?? 0 });
  const requests: ScriptedRequest[] = [];
  const connections = new Set<Deno.TcpConn>();
  const serve = async (connection: Deno.TcpConn) => {
    connections.add(connection);
    const input = new Input(connection);
    for (let request; (request = await readRequest(input, options)) !== undefined;) {
      requests.push(request);
      const step = steps[Math.min(requests.length, steps.length) - 1]!;
      if (await step(request, connection) === "close") break;
    }
  };
  void (async () => {
    for await (const connection of listener) {
      // What the client does to the connection is the client's affair.
      void serve(connection).catch(() => {}).finally(() => {
        connections.delete(connection);
        close(connection);
      });
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    requests,
    open: () => connections.size,
    [Symbol.dispose]() {
      listener.close();
      for (const connection of connections) close(connection);
    },
  };
}

/** Writes an answer with a right Content-Length. */
export function answering(
  status: number,
  body = "",
  headers: Readonly<Record<string, string>> = {},
): Step {
  const fields = Object.entries({ ...headers, "Content-Length": `${body.length}` });
  const head = [`HTTP/1.1 ${status} X`, ...fields.map(([name, value]) => `${name}: ${value}`)].join("\r\n");
  return async ({ method }, connection) => {
    await writeAll(connection, head + HEAD_END + (method === "HEAD" ? "" : body));
  };
}

/** Writes the whole of a text of one byte a character. */
export async function writeAll(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = Uint8Array.from(text, (sign) => sign.charCodeAt(0));
  for (let offset = 0; offset < bytes.length;) offset += await connection.write(bytes.subarray(offset));
}

class Input {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(65_536);
  #left = new Uint8Array(0);

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  async readHead(): Promise<string | undefined> {
    for (;;) {
      const text = new TextDecoder("latin1").decode(this.#left);
      const end = text.indexOf(HEAD_END);
      if (end >= 0) {
        this.#left = this.#left.slice(end + HEAD_END.length);
        return text.slice(0, end);
      }
      if (!await this.#fill()) return undefined;
    }
  }

  async read(length: number): Promise<Uint8Array | undefined> {
    while (this.#left.length < length) if (!await this.#fill()) return undefined;
    const bytes = this.#left.slice(0, length);
    this.#left = this.#left.slice(length);
    return bytes;
  }

  async #fill(): Promise<boolean> {
    const count = await this.#connection.read(this.#buffer);
    if (count === null) return false;
    const joined = new Uint8Array(this.#left.length + count);
    joined.set(this.#left);
    joined.set(this.#buffer.subarray(0, count), this.#left.length);
    this.#left = joined;
    return true;
  }
}

async function readRequest(
  input: Input,
  { bodyBytesMax = Infinity }: ScriptOptions,
): Promise<ScriptedRequest | undefined> {
  const head = await input.readHead();
  if (head === undefined) return undefined;
  const [first = "", ...fields] = head.split("\r\n");
  const [method = "", target = ""] = first.split(" ");
  const headers = new Headers(fields.map((field) => field.split(/: */, 2) as [string, string]));
  const length = Number(headers.get("content-length") ?? 0);
  const body = await input.read(Math.min(length, bodyBytesMax));
  return body && { method, target, headers, body };
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // The other side was faster.
  }
}
