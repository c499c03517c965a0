/**
 * The storage contract: an object store of eight verbs; what a plugin may have besides is optional.
 *
 * **Keys** are 1 to 1,024 characters of printable ASCII without space, `\`, `"`, `%`, `*`, `:`, `<`, `>`, `?` and `|`,
 * made of segments that `/` separates. No segment is empty, `.` or `..`, or longer than 255. No key is a
 * whole-segment prefix of another (`a/b` and `a/b/c` never both exist), so a directory tree can be a store.
 *
 * **Order** is the ascending byte order of the whole key.
 *
 * **Atomic and durable.** When `put`, `move` and `delete` answer, their effect survives `kill -9` and a power cut; a
 * reader sees all of it or nothing. With `lasting: false` a power cut may undo it, `kill -9` may not. `append` promises neither: its bytes become durable with the `move` that follows.
 *
 * **Visible at once.** What a verb has answered, every later call sees.
 *
 * **Clocks.** Times are as the caller's own clock would have told them: a plugin whose store has another corrects them.
 *
 * **Unknown outcomes.** A plugin that lost an answer of its store asks again before it answers: `unavailable` means that the
 * change was not made, or that nobody can tell.
 *
 * **Concurrency.** Calls may overlap. Conditions (`ifAbsent`, `ifMatch`, an offset) are tested and acted upon in one
 * step: of two callers with the same condition at most one succeeds. Overlapping `append`s to one key are the
 * caller's mistake, and harm that key only.
 *
 * @module
 */

/** Bytes that are read once. The reader pulls; a producer never runs ahead of it by more than a buffer. */
export type Bytes = ReadableStream<Uint8Array<ArrayBuffer>>;

/** Facts of an object. */
export interface ObjectFacts {
  /** Length in bytes. */
  readonly size: number;
  /** When it was last put, appended to or moved here: milliseconds since the epoch. */
  readonly modifiedAtMs: number;
  /** What its last `append` has noted about it, where that was the last change. */
  readonly note?: string;
  /** What it is told from others by that were at its key, as it was earlier among them; where the store says so by the way. */
  readonly etag?: string;
}

/** A whole small object. */
export interface StoredValue extends ObjectFacts {
  /** Its bytes. The caller may keep and change them. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Changes whenever the bytes do; opaque. Compared by `ifMatch`. */
  readonly etag: string;
}

/** An object opened for reading. */
export interface OpenedObject extends ObjectFacts {
  /** The range's bytes, or all. Whoever opened it reads to the end or cancels. */
  readonly body: Bytes;
}

/** Part of an object: bytes `offset` to `offset + length - 1`. The caller keeps it within the object's size. */
export interface ByteSpan {
  /** The first byte, from 0. */
  readonly offset: number;
  /** How many bytes, from 0. */
  readonly length: number;
}

/** How a change is made. */
export interface ChangeOptions {
  /** The answer need not wait until the change survives a power cut: for what can be done again. Order is kept for readers only. */
  readonly lasting?: false;
  /**
   * The change is made within so many milliseconds of the call or not at all, by the store's own clock; `unavailable` then.
   * Asked only of a store that lacks `conditions`: callers keep each other out by locks, and this ends what one of them began before its lock does.
   */
  readonly withinMs?: number;
}

/** What must hold for a `put`; at most one of them. */
export interface PutCondition extends ChangeOptions {
  /** Only where no object is. */
  readonly ifAbsent?: true;
  /** Only over the object that has this etag. */
  readonly ifMatch?: string;
}

/** What must hold for a `move`. */
export interface MoveCondition extends ChangeOptions {
  /** Only an object of so many bytes; what is appended to it meanwhile is not moved. */
  readonly ifSize?: number;
  /** Only the object that has this etag, with `ifSize`: of a store whose `stat` or `append` has told it. */
  readonly ifMatch?: string;
}

/** What must hold for an `append`, and how it ends. */
export interface AppendOptions {
  /** Nothing is created: where there is no object it is a `conflict`. */
  readonly mustExist?: true;
  /**
   * The last so many bytes of the body, 1 to 1,024 of printable ASCII, are no content but a note, which `stat` answers
   * without the spaces at its end: what the caller only knows once the bytes have passed. Asked only of a store that keeps `notes`.
   */
  readonly noteBytes?: number;
}

/** What must hold for a `delete`. */
export interface DeleteCondition extends ChangeOptions {
  /** Only the object that has this etag. */
  readonly ifMatch?: string;
}

/** Which keys a `list` answers. */
export interface ListPage {
  /** Only keys after this one, in byte order; it need not exist. */
  readonly after?: string;
  /** At most so many keys: 1 to 10,000. */
  readonly limit: number;
}

/** What a `listPage` answers. */
export interface ListedKeys {
  /** What `list` answers. */
  readonly keys: readonly string[];
  /**
   * Whether more keys follow. None do where the keys are fewer than `limit`. A store that cannot tell of a page that is just
   * full says `true`: the next one may be empty.
   */
  readonly more: boolean;
}

/** A file with an object's bytes. */
export interface LocatedFile {
  /** Absolute path of a regular file inside a directory that the plugin was granted. */
  readonly file: string;
}

/** A URL of an object's bytes. */
export interface LocatedUrl {
  /** At a host that the plugin was granted; for GET, whole or by `Range`, within the next seconds. */
  readonly url: string;
  /** A header: an answer that has it is not the object's bytes. */
  readonly unless: string;
}

/** Where the core can reach an object's bytes by itself, so that they need not cross the wire. */
export type Location = LocatedFile | LocatedUrl;

/** What a store can and cannot do. */
export interface StorageFeatures {
  /** Whether servers on other machines can use the same store. */
  readonly shared: boolean;
  /** Whether `ifAbsent` and `ifMatch` hold whoever else changes the object. Where not, callers keep each other out by locks. */
  readonly conditions: boolean;
  /**
   * 0: `move` is one step. Else it copies, then removes the source at most so many milliseconds after the call; until then
   * both are there, and who has made a new object at `from` meanwhile may lose it. Of several who move or delete one object
   * at once more than one may be told that it did. Such a store has `copy`.
   */
  readonly moveMs: number;
  /** Whether `append` takes notes. */
  readonly notes: boolean;
}

/** Who asks for a URL. */
export interface UrlRequest {
  /** The client's address; `undefined` where it is not known. */
  readonly client?: string;
  /** The media type that the bytes are to be served as. */
  readonly mediaType: string;
}

/** An object store. Every method may throw `PluginError`; none throws for absence. */
export interface Storage {
  /** Facts of the object, or `undefined` where there is none. */
  stat(key: string): Promise<ObjectFacts | undefined>;

  /** The whole of an object of at most 8 MiB, or `undefined`. A larger one fails with `failed`. */
  get(key: string): Promise<StoredValue | undefined>;

  /** The object's bytes as a stream, in memory that does not grow with its size, or `undefined`. */
  open(key: string, span?: ByteSpan): Promise<OpenedObject | undefined>;

  /** Creates or replaces an object of at most 8 MiB. Answers its etag. A condition that does not hold: `conflict`. */
  put(
    key: string,
    bytes: Uint8Array<ArrayBuffer>,
    condition?: PutCondition,
  ): Promise<{ readonly etag: string }>;

  /**
   * Writes `body` at the end of an object, which must be `offset` bytes long (an absent one is 0 bytes long and is
   * created, even by an empty body). Another length: `conflict`, and nothing was written. When the body fails, what
   * had arrived stays. Answers the new length, and, if the store says so by the way, the etag.
   */
  append(
    key: string,
    offset: number,
    body: Bytes,
    options?: AppendOptions,
  ): Promise<Pick<ObjectFacts, "size" | "etag">>;

  /**
   * Renames an object, replacing what was at `to`. Answers `false` where `from` does not exist. A condition that does not
   * hold: `conflict`. Where the bytes that
   * were appended cannot be made durable it fails, and the object is gone: a second try could take lost bytes for good.
   */
  move(from: string, to: string, condition?: MoveCondition): Promise<boolean>;

  /** Removes an object. Answers `false` where there was none. A condition that does not hold: `conflict`. */
  delete(key: string, condition?: DeleteCondition): Promise<boolean>;

  /** The keys that begin with `prefix` (any text; empty: all), in order. Fewer than `limit` means: no more follow. */
  list(prefix: string, page: ListPage): Promise<string[]>;

  /**
   * As `list`, and whether more keys follow: for stores that tell that with the keys, where to ask for one key more can be to
   * ask twice. A plugin without the method is asked for that key by `list`.
   */
  listPage?(prefix: string, page: ListPage): Promise<ListedKeys>;

  /**
   * Where the bytes of `key` are, for reading or, `append`, for writing at the end; then the file exists already,
   * created empty if need be. A URL is for reading, and may be one where nothing is. `undefined`: there is no such object, or
   * its bytes are reached by the wire alone; for writing, those of all objects. A plugin without the method is never asked.
   */
  locate?(key: string, access: "read" | "append"): Promise<Location | undefined>;

  /** What the store can and cannot do. Without the method it is nobody else's, and does everything in one step. */
  features?(): Promise<StorageFeatures>;

  /** Makes `to` an object with the bytes of `from`, replacing what was there. Answers `false` where `from` does not exist. */
  copy?(from: string, to: string): Promise<boolean>;

  /**
   * A URL at which a client may read the object by itself, for a short time; it is not asked for whether the object exists. `undefined`:
   * this client is to be served by the registry.
   */
  url?(key: string, request: UrlRequest): Promise<string | undefined>;
}

/** The names of the methods that every store has. */
export const STORAGE_VERBS = [
  "stat",
  "get",
  "open",
  "put",
  "append",
  "move",
  "delete",
  "list",
] as const satisfies readonly (keyof Storage)[];

/** The contract's method names: the wire's allow-list. */
export const STORAGE_METHODS = [
  ...STORAGE_VERBS,
  "listPage",
  "locate",
  "features",
  "copy",
  "url",
] as const satisfies readonly (keyof Storage)[];

/** Largest object of `get` and `put`, in bytes. */
export const VALUE_BYTES_MAX = 8 * 1024 * 1024;

/** Largest page of `list` and `listPage`. */
export const LIST_LIMIT_MAX = 10_000;

const SEGMENT = /^(?!\.{1,2}$)[!#$&'()+,\-.0-9;=@A-Z\[\]^_`a-z{}~]{1,255}$/;

/** Whether `key` keeps to the form of keys. Plugins may trust it: the core checks every key before it calls. */
export function isKey(key: string): boolean {
  return key.length <= 1024 && key.split("/").every((segment) => SEGMENT.test(segment));
}
