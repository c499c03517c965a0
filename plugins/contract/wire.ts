/**
 * The wire between the core and a plugin: what its two ends, `wire_host.ts` and `wire_guest.ts`, say to each other.
 * Calls and answers meet by id; only plain data crosses, and bytes beside it; a call has at most one stream, which goes
 * by the call's id in either direction and never runs ahead of its reader by more than `STREAM_CREDITS` chunks.
 *
 * @module
 */

import { PluginError, type PluginErrorCode } from "./error.ts";

/** Bytes that whoever gets them may keep. */
export type Chunk = Uint8Array<ArrayBuffer>;

/** What a frame is. The host sends the first block, the guest the second, whoever reads or writes a stream the third. */
export const FRAME = {
  /** `{ entry, kind, options }`: load the plugin. Answered under id 0 with the names of the methods that it has. */
  start: 0,
  /** `[method, ...arguments]`; the argument that is bytes or a stream is absent and comes beside it. */
  call: 1,
  /** Nobody waits for this call's answer any more. */
  cancel: 2,
  /** Are you alive? */
  ping: 3,

  /** What the method answered. */
  answer: 4,
  /** `[code, message]`: why it did not. */
  failure: 5,
  /** I am. */
  pong: 6,
  /** `[level, text]`: a line for the log. */
  log: 7,

  /** The next bytes of the call's stream, at most `CHUNK_BYTES_MAX`. */
  chunk: 8,
  /** They were the last. */
  end: 9,
  /** `[code, message]`: there will be no more, the source failed. */
  broken: 10,
  /** The reader took a chunk: one more may be sent. */
  credit: 11,
  /** The reader wants no more. */
  stop: 12,
} as const;

/** One message: its type, the id of its call, plain data, bytes. */
export type Frame = readonly [type: number, id: number, body?: unknown, bytes?: Chunk];

/** How a frame leaves. */
export interface PostOptions {
  /** The bytes are handed over: the sender never touches their buffer again. */
  readonly give?: boolean;
}

/** Sends frames to the other end, in order. Never throws: what cannot be sent ends the connection. */
export type Post = (frame: Frame, options?: PostOptions) => void;

/** One end of a connection. */
export interface Channel {
  /** Sends a frame. */
  readonly post: Post;
  /** Ends the connection, and the guest with it. Answers when it is gone. */
  close(): Promise<void>;
}

/** What the host is told of a connection. */
export interface ChannelEvents {
  /** A frame, or whatever the guest sent instead of one. */
  frame(frame: unknown): void;
  /** The guest is gone, and why: "crashed: out of memory". */
  gone(reason: string): void;
  /** Whether nothing is asked of the guest now. */
  isIdle(): boolean;
}

/** How one method of a contract crosses the wire. */
export interface WireMethod {
  /** Position of the argument that is bytes. */
  readonly bytesArgument?: number;
  /** Position of the argument that is a stream. */
  readonly streamArgument?: number;
  /** Name of the answer's property that is bytes. */
  readonly bytesAnswer?: string;
  /** Name of the answer's property that is a stream. */
  readonly streamAnswer?: string;
  /** A plugin may lack it. */
  readonly optional?: true;
  /** How many times as long as for other answers is waited for its own. */
  readonly patience?: number;
  /** A fresh copy of what the contract says of an answer, and nothing besides; throws where it has another shape. */
  readonly read: (answer: unknown) => unknown;
}

/** The methods of a contract: what may be called, and how each crosses. */
export type WireMethods = Readonly<Record<string, WireMethod>>;

/** Chunks that may be under way in a stream. */
export const STREAM_CREDITS = 4;

/** Largest chunk of a stream, in bytes. */
export const CHUNK_BYTES_MAX = 256 * 1024;

/** Longest message of an error or of a line of the log, in characters; what is longer is cut. */
export const TEXT_MAX = 2_000;

/** What crosses of an error. Anything but a `PluginError` is `failed`. */
export function describeError(error: unknown): readonly [code: PluginErrorCode, message: string] {
  const { name, code, message } = (error ?? {}) as Partial<PluginError>;
  if (name === "PluginError" && isErrorCode(code)) return [code, String(message).slice(0, TEXT_MAX)];
  return ["failed", describeForeign(error).slice(0, TEXT_MAX)];
}

function describeForeign(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "an error that cannot be described";
  }
}

/** The error that crossed, or one that says that something else did. */
export function readError(body: unknown): PluginError {
  const [code, message] = Array.isArray(body) ? body : [];
  return isErrorCode(code) && typeof message === "string"
    ? new PluginError(code, message.slice(0, TEXT_MAX))
    : new PluginError("failed", "Cannot read a plugin's error: it is malformed");
}

function isErrorCode(code: unknown): code is PluginErrorCode {
  return code === "conflict" || code === "unavailable" || code === "failed";
}
