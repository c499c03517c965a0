import { fileURLToPath } from "node:url";
import type { Channel, ChannelEvents, Post } from "../../plugins/contract/wire.ts";
import { encodeFrame, FrameReader } from "../../plugins/contract/wire_frames.ts";
import type { PluginDeclaration } from "./declaration.ts";
import { grantedEnv } from "./permissions.ts";
import { watchProcess } from "./process_watch.ts";

/** What a process is held to. */
export interface ProcessLimits {
  /** Memory that may be resident, in bytes. */
  readonly memoryBytes: number;
  /** Processor time that it may burn while nothing is asked of it, in milliseconds. */
  readonly hungMs: number;
}

const CONTRACT = new URL("../../plugins/contract/", import.meta.url);
const GUEST = fileURLToPath(new URL("./process_guest.ts", import.meta.url));

const READ_BYTES = 256 * 1024;
/** A plugin that lets more than this wait on its way does not read, whatever credit it gives. */
const UNREAD_BYTES_MAX = 128 * 1024 * 1024;
/** A plugin's standard error is read no faster than so many bytes in so many milliseconds; only its end is kept. */
const ERROR_BYTES = 8 * 1024;
const ERROR_PAUSE_MS = 20;

/** Starts a process of its own that has exactly the plugin's permissions. */
export function openProcess(
  declaration: PluginDeclaration,
  events: ChannelEvents,
  limits: ProcessLimits,
): Channel {
  const child = new Deno.Command(Deno.execPath(), {
    args: processArguments(declaration, limits),
    clearEnv: true,
    env: processEnv(declaration),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const gone = once(events.gone);
  const stopWatch = watchProcess(child.pid, { ...limits, isIdle: events.isIdle, onExcess: gone });
  const errors = collectErrors(child.stderr);
  const writer = createWriter(child.stdin, () => gone("does not read what is sent to it"));
  const reading = readFrames(child.stdout, events.frame).catch((error: Error) =>
    gone(`sent no frames: ${error.message}`)
  );
  const done = child.status.then(async ({ code, signal }) => {
    stopWatch();
    const text = await errors;
    await reading;
    gone(`ended with ${signal ?? `status ${code}`}${text && `: ${text}`}`);
  });
  const close = async () => {
    kill(child);
    writer.close();
    await done;
  };
  return { post: writer.post, close };
}

function processArguments(
  { folder, permissions }: PluginDeclaration,
  { memoryBytes }: ProcessLimits,
): string[] {
  const imports = { imports: { "@sreg/contract/": CONTRACT.href } };
  const { read = [], ...others } = permissions;
  const grants = { read: [...read, folder, fileURLToPath(CONTRACT)], ...others };
  return [
    "run",
    "--quiet",
    "--no-prompt",
    "--no-config",
    "--no-lock",
    "--no-npm",
    "--no-remote",
    `--import-map=data:application/json,${encodeURIComponent(JSON.stringify(imports))}`,
    `--v8-flags=--max-old-space-size=${Math.ceil(memoryBytes / 2 ** 21)}`,
    ...Object.entries(grants).map(([name, entries]) =>
      `--allow-${name}=${entries.map(escapeComma).join(",")}`
    ),
    GUEST,
  ];
}

function escapeComma(entry: string): string {
  return entry.replaceAll(",", ",,");
}

/** What the plugin was granted, and where the runtime keeps its cache. The plugin may read only the first. */
function processEnv({ permissions }: PluginDeclaration): Record<string, string> {
  const cache = grantedEnv(["DENO_DIR", "HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"]);
  return { ...cache, ...grantedEnv(permissions.env ?? []), NO_COLOR: "1" };
}

/** Sends frames in order, those of one turn together. */
function createWriter(
  stream: WritableStream<Uint8Array>,
  onExcess: () => void,
): { readonly post: Post; close(): void } {
  const writer = stream.getWriter();
  let parts: Uint8Array[] = [];
  let unreadBytes = 0;
  let writing = false;
  let closed = false;
  const flush = async () => {
    try {
      while (parts.length > 0 && !closed) {
        const batch = parts;
        parts = [];
        const bytes = batch.length === 1 ? batch[0]! : concatenate(batch);
        await writer.write(bytes);
        unreadBytes -= bytes.length;
      }
    } catch {
      // The process has ended, of which its status tells.
      closed = true;
    }
    writing = false;
  };
  const post: Post = (frame) => {
    if (closed) return;
    for (const part of encodeFrame(frame)) {
      parts.push(part);
      unreadBytes += part.length;
    }
    if (unreadBytes > UNREAD_BYTES_MAX) return onExcess();
    if (writing) return;
    writing = true;
    queueMicrotask(flush);
  };
  const close = () => {
    closed = true;
    writer.abort().catch(() => {});
  };
  return { post, close };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

async function readFrames(stream: ReadableStream<Uint8Array>, take: (frame: unknown) => void): Promise<void> {
  const frames = new FrameReader();
  for await (const bytes of readBytes(stream, READ_BYTES)) frames.push(bytes, take);
}

/** The end of what the process wrote to its standard error: why it crashed. */
async function collectErrors(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of readBytes(stream, ERROR_BYTES)) {
    text = (text + decoder.decode(bytes, { stream: true })).slice(-ERROR_BYTES);
    await new Promise((resolve) => setTimeout(resolve, ERROR_PAUSE_MS));
  }
  return firstReason(text);
}

/** Of a report of many lines, the one that says most. */
function firstReason(text: string): string {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const telling = lines.find((line) => /error|fatal/i.test(line)) ?? lines[0] ?? "";
  return telling.slice(0, 300);
}

/** What a stream brings, each part only until the next is asked for. */
async function* readBytes(stream: ReadableStream<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(length);
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (done) return;
    yield value;
    buffer = value.buffer as ArrayBuffer;
  }
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended already.
  }
}

function once(act: (reason: string) => void): (reason: string) => void {
  let done = false;
  return (reason) => {
    if (done) return;
    done = true;
    act(reason);
  };
}
