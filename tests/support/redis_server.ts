/** Starts real Redis servers for tests: on loopback, with data in a temporary folder. */

import { pauseProcess, resumeProcess } from "./paused_process.ts";
import { hasProgram } from "./programs.ts";

/** Whether there is a Redis to start; a test that needs one names it: `Deno.test({ name: "redis-server: …", ignore: !HAS_REDIS, fn })`. */
export const HAS_REDIS: boolean = hasProgram("redis-server");

/** What to start. */
export interface RedisOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Further arguments of redis-server. */
  readonly args?: readonly string[];
}

/** A Redis that runs. Nothing of it outlives its process. */
export interface RunningRedis extends AsyncDisposable {
  /** `redis://127.0.0.1:41234`. It stays the same over restarts. */
  readonly url: string;
  readonly port: number;
  /** Of its process now. */
  readonly pid: number;
  /** SIGKILL, then its data are removed. */
  stop(): Promise<void>;
  /** SIGKILL: nobody listens any more, until `restart`. */
  kill(): Promise<void>;
  /** Stands still: connections stay, and nothing is answered. */
  pause(): Promise<void>;
  /** Goes on. */
  resume(): void;
  /** Starts it anew, without any data, on the same port. */
  restart(): Promise<void>;
  /** What it answers to a command, as text, asked over a connection of its own. */
  ask(...command: readonly string[]): Promise<string>;
}

/** Starts a Redis, and waits until it answers. */
export async function startRedis({ port = freePort(), args = [] }: RedisOptions = {}): Promise<RunningRedis> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-redis-" });
  const spawn = async () => {
    const child = new Deno.Command("redis-server", {
      args: [
        ...["--bind", "127.0.0.1", "--port", String(port), "--dir", folder],
        ...["--save", "", "--appendonly", "no", ...args],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const ended = child.status.then(({ code }) => {
      throw new Error(`redis-server did not start (exit ${code})`);
    });
    await Promise.race([answers(port), ended]);
    ended.catch(() => {});
    return child;
  };
  let child = await spawn();
  const kill = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await child.status;
  };
  const stop = async () => {
    await kill();
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid;
    },
    stop,
    kill,
    pause: () => pauseProcess(child.pid),
    resume: () => resumeProcess(child.pid),
    restart: async () => {
      await kill();
      child = await spawn();
    },
    ask: (...command) => ask(port, command),
    [Symbol.asyncDispose]: stop,
  };
}

/** A port of 127.0.0.1 that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** It answers, if only that it wants a password. */
async function answers(port: number): Promise<void> {
  for (;;) {
    const answer = await ask(port, ["PING"]).catch(() => "");
    if (/^(?:\+|-NOAUTH)/.test(answer)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function ask(port: number, command: readonly string[]): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const parts = command.map((part) => `$${part.length}\r\n${part}\r\n`);
  await connection.write(new TextEncoder().encode(`*${command.length}\r\n${parts.join("")}`));
  const buffer = new Uint8Array(65_536);
  const length = await connection.read(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, length));
}
