/**
 * A load generator's HTTP/1.1 client: keep-alive sockets, requests prepared as bytes, answers parsed no further than
 * their framing. `fetch` would spend more on a small answer than the server does.
 *
 * @module
 */

import { concat } from "./content.ts";

/** The server under load. */
export interface Target {
  /** Its base, without a slash at the end. */
  readonly url: string;
  /** Its process, where known. */
  readonly pid?: number;
  /** Header lines that every request to it carries: `authorization: …`. */
  readonly headers?: readonly string[];
}

/** A request as bytes, and the answer that it must get. */
export interface Prepared {
  readonly parts: readonly Uint8Array[];
  readonly status: number;
  /** A HEAD: its answer has no body, whatever its length says. */
  readonly bodiless: boolean;
}

/** What a request is made of, beside method and path. */
export interface RequestParts {
  /** Header lines without their ends: `accept: text/plain`. */
  readonly headers?: readonly string[];
  /** The body, in the pieces in which it is written. */
  readonly body?: readonly Uint8Array[];
  /** Announce no length: the body is framed in chunks already. */
  readonly chunked?: boolean;
  /** The status of the only right answer. */
  readonly status: number;
}

/** An answer of the right status. */
export interface Answer {
  /** Status line and headers. */
  readonly head: string;
  readonly bodyBytes: number;
  /** The body, if it was to be kept. */
  readonly body: string;
}

const BUFFER_BYTES = 256 * 1024;
const HEAD_BYTES_MAX = 16 * 1024;
const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** Builds the bytes of a request to `target` (`GET /v2/`) once, to be sent often. */
export function prepare(target: Target, line: string, parts: RequestParts): Prepared {
  const body = parts.body ?? [];
  const headers = [`host: ${new URL(target.url).host}`, ...(target.headers ?? []), ...(parts.headers ?? [])];
  if (parts.chunked) headers.push("transfer-encoding: chunked");
  else if (!/^(GET|HEAD|DELETE) /.test(line)) {
    headers.push(`content-length: ${body.reduce((sum, { length }) => sum + length, 0)}`);
  }
  const head = encoder.encode(`${line} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
  return { parts: joinSmall([head, ...body]), status: parts.status, bodiless: line.startsWith("HEAD ") };
}

/** The value of the header `name` in an answer. */
export function header(answer: Answer, name: string): string | undefined {
  return answer.head.match(new RegExp(`^${name}: *(.*?)\r?$`, "im"))?.[1];
}

/** One keep-alive connection: one request at a time. */
export class Connection implements Disposable {
  readonly #socket: Deno.Conn;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  /** Connects to `target`. */
  static async open(target: Target): Promise<Connection> {
    const { protocol, hostname, port } = new URL(target.url);
    if (protocol === "https:") {
      return new Connection(await Deno.connectTls({ hostname, port: Number(port || 443) }));
    }
    const socket = await Deno.connect({ hostname, port: Number(port || 80) });
    socket.setNoDelay(true);
    return new Connection(socket);
  }

  /** Sends `request` and reads its answer to the end. Any other status than the right one is an error. */
  async exchange(request: Prepared, options: { readonly keepBody?: boolean } = {}): Promise<Answer> {
    for (const part of request.parts) await this.#write(part);
    const head = await this.#head();
    const kept: Uint8Array[] | undefined = options.keepBody ? [] : undefined;
    const bodyBytes = request.bodiless ? 0 : await this.#body(head, kept);
    if (!head.startsWith(` ${request.status}`, 8)) {
      throw new Error(`Cannot measure: wanted ${request.status}, got ${head.slice(9, head.indexOf("\r"))}`);
    }
    return { head, bodyBytes, body: kept ? decode(kept) : "" };
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    let written = await this.#socket.write(bytes);
    while (written < bytes.length) written += await this.#socket.write(bytes.subarray(written));
  }

  async #head(): Promise<string> {
    for (;;) {
      const text = latin1.decode(
        this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + HEAD_BYTES_MAX)),
      );
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.#start += end + 4;
        return text.slice(0, end + 2);
      }
      await this.#fill();
    }
  }

  async #body(head: string, kept?: Uint8Array[]): Promise<number> {
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    if (length) return await this.#take(Number(length[1]), kept);
    if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return 0;
    let total = 0;
    for (;;) {
      const size = parseInt(await this.#line(), 16);
      total += await this.#take(size, kept);
      await this.#line();
      if (size === 0) return total;
    }
  }

  async #take(length: number, kept?: Uint8Array[]): Promise<number> {
    for (let left = length; left > 0;) {
      if (this.#start === this.#end) await this.#fill();
      const size = Math.min(left, this.#end - this.#start);
      kept?.push(this.#buffer.slice(this.#start, this.#start + size));
      this.#start += size;
      left -= size;
    }
    return length;
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.subarray(this.#start, this.#end).indexOf(10);
      if (end >= 0) {
        const line = latin1.decode(this.#buffer.subarray(this.#start, this.#start + end));
        this.#start += end + 1;
        return line;
      }
      await this.#fill();
    }
  }

  async #fill(): Promise<void> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    else if (this.#end === BUFFER_BYTES) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const read = await this.#socket.read(this.#buffer.subarray(this.#end));
    if (read === null) throw new Error("Cannot measure: the server closed the connection");
    this.#end += read;
  }
}

/** Head and a small body leave in one packet. */
function joinSmall(parts: Uint8Array[]): Uint8Array[] {
  if (parts.reduce((sum, { length }) => sum + length, 0) > BUFFER_BYTES) return parts;
  return [concat(parts)];
}

function decode(parts: Uint8Array[]): string {
  return new TextDecoder().decode(concat(parts));
}
