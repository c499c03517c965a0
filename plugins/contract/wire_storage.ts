import { LIST_LIMIT_MAX, type STORAGE_METHODS, type StorageFeatures, VALUE_BYTES_MAX } from "./storage.ts";
import type { WireMethod, WireMethods } from "./wire.ts";
import {
  malformed,
  type Properties,
  readBoolean,
  readCount,
  readList,
  readRecord,
  readText,
  readTime,
} from "./wire_shapes.ts";

/** The storage contract on the wire. */
export const STORAGE_WIRE: WireMethods & Readonly<Record<(typeof STORAGE_METHODS)[number], WireMethod>> = {
  stat: { read: orAbsent(readFacts) },
  get: {
    bytesAnswer: "bytes",
    read: orAbsent((value) => ({
      ...readFacts(value),
      bytes: readBytes(value),
      etag: readText(value["etag"]),
    })),
  },
  open: {
    streamAnswer: "body",
    read: orAbsent((value) => ({ ...readFacts(value), body: value["body"] })),
  },
  put: { bytesArgument: 1, read: (answer) => ({ etag: readText(readRecord(answer)["etag"]) }) },
  append: { streamArgument: 2, read: (answer) => ({ size: readCount(readRecord(answer)["size"]) }) },
  move: { read: readBoolean },
  delete: { read: readBoolean },
  list: { read: (answer) => readList(answer, readText, LIST_LIMIT_MAX) },
  locate: { optional: true, read: orAbsent(({ file }) => ({ file: readText(file) })) },
  features: { optional: true, read: (answer) => readFeatures(readRecord(answer)) },
  copy: { optional: true, read: readBoolean },
  url: { optional: true, read: (answer) => answer === undefined ? undefined : readText(answer) },
};

function orAbsent<T>(read: (answer: Properties) => T): (answer: unknown) => T | undefined {
  return (answer) => answer === undefined ? undefined : read(readRecord(answer));
}

function readFeatures({ shared, conditions, moveMs }: Properties): StorageFeatures {
  return { shared: readBoolean(shared), conditions: readBoolean(conditions), moveMs: readCount(moveMs) };
}

function readFacts({ size, modifiedAtMs }: Properties) {
  return { modifiedAtMs: readTime(modifiedAtMs), size: readCount(size) };
}

function readBytes({ bytes, size }: Properties): Uint8Array<ArrayBuffer> {
  if (!(bytes instanceof Uint8Array)) throw malformed("bytes", bytes);
  if (bytes.byteLength !== size) throw malformed(`${size} bytes`, `${bytes.byteLength}`);
  if (bytes.byteLength > VALUE_BYTES_MAX) throw malformed("a small value", `${bytes.byteLength} bytes`);
  return bytes as Uint8Array<ArrayBuffer>;
}
