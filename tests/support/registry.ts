/** Starts real servers for tests: sreg as its own process, on loopback, with data in a temporary folder. */

import { fromFileUrl } from "./paths.ts";

/** The project's root folder. */
export const ROOT: string = fromFileUrl(new URL("../../", import.meta.url));

/** What to start. */
export interface RegistryOptions {
  /** Where it keeps its data; default: a new temporary folder that `stop` removes. */
  readonly dataDir?: string;
  /** Further arguments of `sreg serve`. */
  readonly args?: readonly string[];
  /** Text of its configuration file; default: none. Where it has a `[storage.…]` table, `dataDir` is not used. */
  readonly config?: string;
  /** Further environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** A program with its arguments that starts the server in its own place: `strace -D …`. */
  readonly under?: readonly string[];
}

/** A server that runs. */
export interface RunningRegistry extends AsyncDisposable {
  /** Its base, without a slash at the end: `http://127.0.0.1:41234`. */
  readonly url: string;
  /** Its host and port. */
  readonly host: string;
  readonly pid: number;
  readonly dataDir: string;
  /** What it has logged so far (standard error). */
  log(): string;
  /** SIGTERM, and its exit; then removes what was made for it. Answers its exit code. */
  stop(): Promise<number>;
  /** SIGKILL. The data stay. */
  kill(): Promise<void>;
}

/** The arguments after `deno` that start sreg as `deno task sreg` does, but without a shell between. */
export function sregArguments(): string[] {
  return taskArguments("sreg");
}

/** The arguments after `deno` of a task. */
export function taskArguments(task: Task): string[] {
  const words = taskWords(task);
  return words.slice(words.indexOf("deno") + 1);
}

/** The environment that `deno task sreg` sets. */
export function sregEnvironment(): Record<string, string> {
  const words = taskWords("sreg");
  return Object.fromEntries(words.slice(0, words.indexOf("deno")).map((word) => word.split("=")));
}

/** A task that tests run without a shell between. */
export type Task = "sreg" | "sregctl";

function taskWords(task: Task): string[] {
  const file = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`)) as {
    tasks: Record<Task, { command: string }>;
  };
  return file.tasks[task].command.split(" ");
}

/** How a registry is started. */
export type StartRegistry = (options?: RegistryOptions) => Promise<RunningRegistry>;

let start: StartRegistry = startProcess;

/** Has this test file start something else where it starts a registry: a cluster, so that its tests run over one. */
export function startInstead(other: StartRegistry): void {
  start = other;
}

/** Whether this test file starts something else. */
export function startsElse(): boolean {
  return start !== startProcess;
}

/** Starts a registry: `sreg serve` in a process of its own, unless this test file runs over something else. */
export function startRegistry(options: RegistryOptions = {}): Promise<RunningRegistry> {
  return start(options);
}

/** Starts `sreg serve` on a free port and waits until it listens. Fails with its output when it does not start. */
export async function startProcess(options: RegistryOptions = {}): Promise<RunningRegistry> {
  const scratch = await Deno.makeTempDir({ prefix: "sreg-test-" });
  const dataDir = options.dataDir ?? `${scratch}/data`;
  if (options.config !== undefined) await Deno.writeTextFile(`${scratch}/sreg.toml`, options.config);
  const [program, ...before] = [...options.under ?? [], Deno.execPath()];
  const child = new Deno.Command(program!, {
    args: [...before, ...serveArguments(options, { scratch, dataDir })],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", ...sregEnvironment(), ...options.env },
  }).spawn();
  const log = collect(child.stderr);
  const output = collect(child.stdout);
  const url = await Promise.race([
    output.match(/https?:\/\/[^\s"]+/),
    child.status.then(({ code }) => {
      throw new Error(`sreg did not start (exit ${code}):\n${output.text()}${log.text()}`);
    }),
  ]);

  const removeScratch = () => Deno.remove(scratch, { recursive: true }).catch(() => {});
  const end = async (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
    const { code } = await child.status;
    await Promise.all([log.done, output.done]);
    return code;
  };
  const stop = async () => {
    const code = await end("SIGTERM");
    await removeScratch();
    return code;
  };
  return {
    url,
    host: new URL(url).host,
    pid: child.pid,
    dataDir,
    log: log.text,
    stop,
    kill: async () => void await end("SIGKILL"),
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}

function serveArguments(
  { config, args = [] }: RegistryOptions,
  { scratch, dataDir }: { readonly scratch: string; readonly dataDir: string },
): string[] {
  // A configuration that chooses its storage says where the data are; the flag would contradict it.
  const data = config?.includes("[storage.") ? [] : ["--data-dir", dataDir];
  const file = config === undefined ? [] : ["--config", `${scratch}/sreg.toml`];
  return [...sregArguments(), "serve", "--addr", "127.0.0.1:0", ...data, ...file, ...args];
}

function collect(stream: ReadableStream<Uint8Array>) {
  let text = "";
  let wake = Promise.withResolvers<void>();
  const done = (async () => {
    for await (
      const chunk of stream.pipeThrough(new TextDecoderStream() as never) as ReadableStream<string>
    ) {
      text += chunk;
      wake.resolve();
      wake = Promise.withResolvers();
    }
  })();
  const match = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = text.slice(0, text.lastIndexOf("\n") + 1).match(pattern);
      if (found) return found[0];
      await wake.promise;
    }
  };
  return { text: () => text, done, match };
}
