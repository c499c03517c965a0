/**
 * HTTP/1.1 as it comes over a connection: heads and bodies byte for byte, for what stands between a client and a server.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** The head of a request or an answer. */
export interface Head {
  /** `PUT /v2/ HTTP/1.1`, `HTTP/1.1 200 OK`. */
  readonly start: string;
  /** Names as they came, values without space around. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** How far a body goes: bytes that are counted, chunks that say where they end, or all until the connection ends. */
export type Extent = number | "chunked" | "connection";

/** The connection ended within a head or a body. */
export class CutShort extends Error {
  override readonly name = "CutShort";
}

/** What came is no HTTP: somebody speaks TLS. */
export class NoHttp extends Error {
  override readonly name = "NoHttp";
}

const READ_BYTES = 256 * 1024;
const HEAD_BYTES_MAX = 256 * 1024;
const LINE_BREAK = 10;

/** Reads messages from a connection, one after the other. */
export class WireReader {
  readonly #connection: Deno.Conn;
  #waiting: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** The next head; nothing where the connection ended before it began. */
  async head(): Promise<Head | undefined> {
    let length = -1;
    while ((length = endOfHead(this.#waiting)) < 0) {
      if (this.#waiting.length > 0 && !isLetter(this.#waiting[0]!)) throw new NoHttp();
      if (this.#waiting.length > HEAD_BYTES_MAX) throw new Error("The head is too large");
      if (await this.#more()) continue;
      if (this.#waiting.length === 0) return undefined;
      throw new CutShort("within a head");
    }
    return parseHead(Buffer.from(this.#take(length)).toString("latin1"));
  }

  /** The bytes of a body as they come, with the marks of chunks. Throws `CutShort` where there are too few. */
  async *body(extent: Extent): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (extent === "chunked") yield* this.#chunks();
    else if (extent === "connection") yield* this.#rest();
    else yield* this.#exactly(extent);
  }

  async *#exactly(length: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (let left = length; left > 0;) {
      if (this.#waiting.length === 0 && !await this.#more()) throw new CutShort(`${left} bytes are missing`);
      const piece = this.#take(Math.min(left, this.#waiting.length));
      left -= piece.length;
      yield piece;
    }
  }

  async *#rest(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    do {
      if (this.#waiting.length > 0) yield this.#take(this.#waiting.length);
    } while (await this.#more());
  }

  async *#chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const line = await this.#line();
      yield line;
      const length = parseInt(new TextDecoder().decode(line), 16);
      if (length === 0) break;
      yield* this.#exactly(length + 2);
    }
    for (let line; (line = await this.#line());) {
      yield line;
      if (line.length <= 2) return;
    }
  }

  async #line(): Promise<Uint8Array<ArrayBuffer>> {
    let end = -1;
    while ((end = this.#waiting.indexOf(LINE_BREAK)) < 0) {
      if (!await this.#more()) throw new CutShort("within a line");
    }
    return this.#take(end + 1);
  }

  #take(length: number): Uint8Array<ArrayBuffer> {
    const taken = this.#waiting.subarray(0, length);
    this.#waiting = this.#waiting.subarray(length);
    return taken;
  }

  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(READ_BYTES);
    const length = await this.#connection.read(buffer);
    if (length === null) return false;
    const read = buffer.subarray(0, length);
    this.#waiting = this.#waiting.length === 0 ? read : joined(this.#waiting, read);
    return true;
  }
}

/** The value of a head's field, whatever the case of its name. */
export function fieldOf({ fields }: Head, name: string): string | undefined {
  return fields.find(([found]) => found.toLowerCase() === name)?.[1];
}

/** The head with a field in the place of that of the same name. */
export function withField({ start, fields }: Head, name: string, value: string): Head {
  return { start, fields: [...fields.filter(([found]) => found.toLowerCase() !== name), [name, value]] };
}

/** The head as bytes. */
export function formatHead({ start, fields }: Head): Uint8Array<ArrayBuffer> {
  const lines = [start, ...fields.map(([name, value]) => `${name}: ${value}`), "", ""];
  return new Uint8Array(Buffer.from(lines.join("\r\n"), "latin1"));
}

/** How far the body of a request goes. */
export function requestExtent(head: Head): Extent {
  return declaredExtent(head) ?? 0;
}

/** How far the body of the answer to a request of this method goes. */
export function answerExtent(head: Head, method: string): Extent {
  const status = statusOf(head);
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return 0;
  return declaredExtent(head) ?? "connection";
}

/** The method and the target of a request. */
export function requestLine({ start }: Head): { readonly method: string; readonly target: string } {
  const [method = "", target = ""] = start.split(" ");
  return { method, target };
}

/** The status of an answer. */
export function statusOf({ start }: Head): number {
  return Number(start.split(" ")[1]);
}

/** Whether the connection ends with this message. */
export function endsConnection(head: Head): boolean {
  const field = fieldOf(head, "connection")?.toLowerCase();
  return field === "close" || (head.start.includes("HTTP/1.0") && field !== "keep-alive");
}

/** Writes all of the bytes. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Ends a connection, whatever became of it. */
export function endConnection(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It has ended already.
  }
}

function declaredExtent(head: Head): Extent | undefined {
  if (fieldOf(head, "transfer-encoding")?.toLowerCase().endsWith("chunked")) return "chunked";
  const length = fieldOf(head, "content-length");
  return length === undefined ? undefined : Number(length);
}

function parseHead(text: string): Head {
  const [start = "", ...lines] = text.split("\r\n").filter((line) => line !== "");
  return { start, fields: lines.map(parseField) };
}

function parseField(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

function isLetter(byte: number): boolean {
  return byte >= 65 && byte <= 90;
}

/** The length of the head that the bytes begin with, or -1 where it is not all there. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(LINE_BREAK); at >= 0; at = bytes.indexOf(LINE_BREAK, at + 1)) {
    if (bytes[at + 1] === 13 && bytes[at + 2] === LINE_BREAK) return at + 3;
  }
  return -1;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
