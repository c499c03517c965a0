/** What a request carries. */
export interface RequestParts {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
}

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The connection broke before there was an answer: the server was killed. */
export class LostAnswer extends Error {
  override readonly name = "LostAnswer";
}

/** How clients reach one run of the server. */
export class Connection implements Disposable {
  readonly #url: string;
  readonly #client: Deno.HttpClient;
  #listener: (sent: number) => void = () => {};
  #sent = 0;
  #isShut = false;

  /**
   * `url`: the server's base. `isKept`: whether a connection has more than one request; one that breaks before the answer
   * to a later one begins has that sent again, on a new connection.
   */
  constructor(url: string, { isKept = true }: { readonly isKept?: boolean } = {}) {
    this.#url = url;
    this.#client = Deno.createHttpClient({ poolMaxIdlePerHost: isKept ? 16 : 0 });
  }

  /** How many requests were begun. */
  get sent(): number {
    return this.#sent;
  }

  /** Calls `listener` at the beginning of every request with how many there were. */
  onRequest(listener: (sent: number) => void): void {
    this.#listener = listener;
  }

  /** Sends nothing any more: requests from now on are lost. */
  shut(): void {
    this.#isShut = true;
  }

  /** Sends a request to a path. Throws `LostAnswer` where nobody knows what became of it. */
  async send(method: string, path: string, parts: RequestParts = {}): Promise<Answer> {
    if (this.#isShut) throw new LostAnswer(`${method} ${path}`);
    this.#listener(++this.#sent);
    try {
      const answer = await fetch(new URL(path, this.#url), { method, ...parts, client: this.#client });
      return { status: answer.status, headers: answer.headers, bytes: await answer.bytes() };
    } catch (error) {
      throw new LostAnswer(`${method} ${path}`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
