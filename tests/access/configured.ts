/** A registry that is started by nothing but a configuration file, which tests change while it runs. */

import { ROOT, sregArguments } from "../support/registry.ts";

/** A line of the log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A registry that runs, and its file. */
export interface Configured extends AsyncDisposable {
  /** Its base, without a slash at the end. */
  readonly url: string;
  readonly host: string;
  readonly pid: number;
  /** Where its file and its data are. */
  readonly folder: string;
  /** The configuration file. */
  readonly file: string;
  /** What it logged. */
  lines(): readonly LogLine[];
  /** The line that tells what became of the next reload after `count` lines. */
  outcome(count: number): Promise<LogLine>;
  /** Writes another configuration. */
  write(text: string): Promise<void>;
  /** Signals SIGHUP; answers what the log says of what was read after that. */
  reload(): Promise<LogLine>;
  /** Writes another configuration and signals SIGHUP; answers what the log says of it. */
  replace(text: string): Promise<LogLine>;
}

const OUTCOMES = [
  "Took over the configuration",
  "Cannot take over the configuration; the one before stays in force",
];

/** What a configuration begins with: any free port, on loopback. */
export const FREE_PORT = `bind_address = "127.0.0.1"\nport = 0\n`;

/** Starts a registry in a new folder. `configure` writes what its configuration needs there, and answers its text. */
export async function startConfigured(
  configure: (folder: string) => string | Promise<string>,
): Promise<Configured> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-configured-" });
  const file = `${folder}/sreg.toml`;
  await Deno.writeTextFile(file, await configure(folder));
  const child = new Deno.Command(Deno.execPath(), {
    args: [...sregArguments(), "serve", "--config", file],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const output = gather(child.stdout);
  const log = gather(child.stderr);
  const failed = child.status.then(() => Promise.reject(new Error(`sreg has ended:\n${log.text()}`)));
  failed.catch(() => {});
  const url = await Promise.race([failed, output.find((line) => /https?:\/\/\S+/.exec(line)?.[0])]);
  const lines = () => log.lines().map((line) => JSON.parse(line) as LogLine);
  const outcome = (count: number) =>
    Promise.race([failed, log.find((line) => outcomeOf(JSON.parse(line)), count)]);
  const write = (text: string) => Deno.writeTextFile(file, text);
  const signal = async () => {
    const count = log.lines().length;
    child.kill("SIGHUP");
    return await outcome(count);
  };
  const reload = async () => {
    // A reload that was under way may have read the files before: what ends after it has ended has not.
    await signal();
    return await signal();
  };
  return {
    ...{ url, host: new URL(url).host, pid: child.pid, folder, file, lines, outcome, write, reload },
    async replace(text) {
      await write(text);
      return await reload();
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await Promise.all([child.status, output.done, log.done]);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function outcomeOf(line: LogLine): LogLine | undefined {
  return OUTCOMES.includes(line["message"] as string) ? line : undefined;
}

/** Reads lines as they come. */
function gather(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
  let text = "";
  let wake = Promise.withResolvers<void>();
  const lines = () => text.split("\n").slice(0, -1);
  const done = (async () => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      wake.resolve();
      wake = Promise.withResolvers();
    }
  })();
  /** What `pick` makes of the first line that it takes, of those after the first `from`. */
  const find = async <T>(pick: (line: string) => T | undefined, from = 0): Promise<T> => {
    for (let at = from;; at++) {
      while (lines().length <= at) await wake.promise;
      const picked = pick(lines()[at]!);
      if (picked !== undefined) return picked;
    }
  };
  return { text: () => text, lines, done, find };
}
