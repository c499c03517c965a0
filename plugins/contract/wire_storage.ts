import { LIST_LIMIT_MAX, type STORAGE_METHODS, VALUE_BYTES_MAX } from "./storage.ts";
import type { WireMethod, WireMethods } from "./wire.ts";

/** The storage contract on the wire. */
export const STORAGE_WIRE: WireMethods & Readonly<Record<(typeof STORAGE_METHODS)[number], WireMethod>> = {
  stat: { read: orAbsent(readFacts) },
  get: {
    bytesAnswer: "bytes",
    read: orAbsent((value) => ({ ...readFacts(value), bytes: valueBytes(value), etag: text(value.etag) })),
  },
  open: {
    streamAnswer: "body",
    read: orAbsent((value) => ({ ...readFacts(value), body: value.body })),
  },
  put: { bytesArgument: 1, read: (answer) => ({ etag: text(record(answer).etag) }) },
  append: { streamArgument: 2, read: (answer) => ({ size: count(record(answer).size) }) },
  move: { read: boolean },
  delete: { read: boolean },
  list: { read: keys },
  locate: { optional: true, read: orAbsent(({ file }) => ({ file: text(file) })) },
};

type Fields = Readonly<Record<string, unknown>>;

function orAbsent<T>(read: (answer: Fields) => T): (answer: unknown) => T | undefined {
  return (answer) => answer === undefined ? undefined : read(record(answer));
}

function readFacts({ size, modifiedAtMs }: Fields) {
  if (typeof modifiedAtMs !== "number" || !Number.isFinite(modifiedAtMs)) {
    throw malformed("a time", modifiedAtMs);
  }
  return { size: count(size), modifiedAtMs };
}

function record(answer: unknown): Fields {
  if (typeof answer !== "object" || answer === null) throw malformed("an object", answer);
  return answer as Fields;
}

function valueBytes({ bytes, size }: Fields): Uint8Array<ArrayBuffer> {
  if (!(bytes instanceof Uint8Array)) throw malformed("bytes", bytes);
  if (bytes.byteLength !== size) throw malformed(`${size} bytes`, `${bytes.byteLength}`);
  if (bytes.byteLength > VALUE_BYTES_MAX) throw malformed("a small value", `${bytes.byteLength} bytes`);
  return bytes as Uint8Array<ArrayBuffer>;
}

function keys(answer: unknown): string[] {
  if (!Array.isArray(answer) || answer.length > LIST_LIMIT_MAX) throw malformed("a page of keys", answer);
  return answer.map(text);
}

function boolean(answer: unknown): boolean {
  if (typeof answer !== "boolean") throw malformed("a boolean", answer);
  return answer;
}

function count(value: unknown): number {
  if (!isCount(value)) throw malformed("a length", value);
  return value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function text(value: unknown): string {
  if (typeof value !== "string" || value.length > 4096) throw malformed("a text", value);
  return value;
}

function malformed(expected: string, found: unknown): TypeError {
  const shown = typeof found === "object" && found !== null ? "another object" : String(found).slice(0, 80);
  return new TypeError(`expected ${expected}, found ${shown}`);
}
