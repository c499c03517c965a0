import {
  LIST_LIMIT_MAX,
  type ListedKeys,
  type Location,
  type ObjectFacts,
  type STORAGE_METHODS,
  type StorageFeatures,
  VALUE_BYTES_MAX,
} from "./storage.ts";
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

/** A store asks another machine again before it gives up … */
const PATIENCE = 4;
/** … and copies objects of many GiB. */
const COPY_PATIENCE = 40;

/** The storage contract on the wire. */
export const STORAGE_WIRE: WireMethods & Readonly<Record<(typeof STORAGE_METHODS)[number], WireMethod>> = {
  stat: { patience: PATIENCE, read: orAbsent(readFacts) },
  get: {
    patience: PATIENCE,
    bytesAnswer: "bytes",
    read: orAbsent((value) => ({
      ...readFacts(value),
      bytes: readBytes(value),
      etag: readText(value["etag"]),
    })),
  },
  open: {
    patience: PATIENCE,
    streamAnswer: "body",
    read: orAbsent((value) => ({ ...readFacts(value), body: value["body"] })),
  },
  put: {
    patience: PATIENCE,
    bytesArgument: 1,
    read: (answer) => ({ etag: readText(readRecord(answer)["etag"]) }),
  },
  append: {
    patience: PATIENCE,
    streamArgument: 2,
    read: (answer) => readAppended(readRecord(answer)),
  },
  move: { patience: COPY_PATIENCE, read: readBoolean },
  delete: { patience: PATIENCE, read: readBoolean },
  list: { patience: PATIENCE, read: readKeys },
  listPage: { optional: true, patience: PATIENCE, read: (answer) => readListed(readRecord(answer)) },
  locate: { optional: true, read: orAbsent(readLocation) },
  features: { optional: true, read: (answer) => readFeatures(readRecord(answer)) },
  copy: { optional: true, patience: COPY_PATIENCE, read: readBoolean },
  url: { optional: true, read: (answer) => answer === undefined ? undefined : readText(answer) },
};

function orAbsent<T>(read: (answer: Properties) => T): (answer: unknown) => T | undefined {
  return (answer) => answer === undefined ? undefined : read(readRecord(answer));
}

function readKeys(answer: unknown): string[] {
  return readList(answer, readText, LIST_LIMIT_MAX);
}

/** Whoever goes on does so after the last of the keys. */
function readListed({ keys, more }: Properties): ListedKeys {
  const listed = { keys: readKeys(keys), more: readBoolean(more) };
  if (listed.more && listed.keys.length === 0) throw malformed("keys, since more follow", "none");
  return listed;
}

function readLocation({ file, url, unless }: Properties): Location {
  return url === undefined ? { file: readText(file) } : { url: readText(url), unless: readText(unless) };
}

function readFeatures({ shared, conditions, moveMs, notes }: Properties): StorageFeatures {
  return {
    shared: readBoolean(shared),
    conditions: readBoolean(conditions),
    moveMs: readCount(moveMs),
    notes: readBoolean(notes),
  };
}

function readAppended({ size, etag }: Properties): Pick<ObjectFacts, "size" | "etag"> {
  return { size: readCount(size), ...(etag !== undefined && { etag: readText(etag) }) };
}

function readFacts({ modifiedAtMs, note, ...facts }: Properties): ObjectFacts {
  return {
    modifiedAtMs: readTime(modifiedAtMs),
    ...readAppended(facts),
    ...(note !== undefined && { note: readText(note) }),
  };
}

function readBytes({ bytes, size }: Properties): Uint8Array<ArrayBuffer> {
  if (!(bytes instanceof Uint8Array)) throw malformed("bytes", bytes);
  if (bytes.byteLength !== size) throw malformed(`${size} bytes`, `${bytes.byteLength}`);
  if (bytes.byteLength > VALUE_BYTES_MAX) throw malformed("a small value", `${bytes.byteLength} bytes`);
  return bytes as Uint8Array<ArrayBuffer>;
}
