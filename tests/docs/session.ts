/**
 * A session of a page of documentation: the blocks ```` ```console ```` of it, run in one shell after the other, as a reader would.
 *
 * A line `$ …` is a command, `> …` directly below goes on with it, what follows is its output. `sreg serve` runs until the
 * session ends. Every other command must end with 0, unless the one after it is `echo $?`. With `SREG_UPDATE_DOCS=1` in the
 * environment a run that prints anything else than the page says writes all that it printed into the page.
 *
 * @module
 */

import { join } from "../support/paths.ts";

/** A command, and what the page says that it prints. */
export interface Step {
  readonly command: string;
  readonly output: string;
  /** Where its output is in the page. */
  readonly start: number;
  readonly end: number;
}

/** What is different at each run, and what it is compared as. Everything else is compared as it is. */
export const VARIES: readonly { readonly pattern: RegExp; readonly as: string }[] = [
  // In a narrow column one is above the other.
  { pattern: /\b\d{4}-\d\d-\d\d\b/g, as: "<date>" },
  { pattern: /\b\d\d:\d\d:\d\dZ/g, as: "<time>" },
  { pattern: /^(up for +)[^,]+/gm, as: "$1<duration>" },
  { pattern: /^(took +).+/gm, as: "$1<duration>" },
  { pattern: /^(replica +).+/gm, as: "$1<host>" },
  // Of `plugin list`: calls, failures, milliseconds, restarts.
  { pattern: /( running +)\d+ +0 +[\d.]+ +0$/gm, as: "$1<calls> 0 <ms> 0" },
];

/** Tokens, and ids of jobs, tokens and bindings: the page has others than a run, but one of its own for each. */
const IDS = /sreg_[0-9a-f]{20}_[0-9a-f]{64}|\b\d{8}t\d{9}z-[0-9a-f]{8}\b|\b[0-9a-f]{20}\b/g;

/** The steps of a page, in its order. */
export function parseSteps(page: string): Step[] {
  const steps: Step[] = [];
  for (const block of page.matchAll(/^```console\n([^]*?)^```$/gm)) {
    const from = block.index + "```console\n".length;
    for (const found of block[1]!.matchAll(/^\$ (.*\n(?:>(?: .*)?\n)*)((?:(?!\$ ).*\n)*)/gm)) {
      const [whole, command = "", output = ""] = found;
      const end = from + found.index + whole.length;
      steps.push({
        command: command.replaceAll(/^> ?/gm, "").trimEnd(),
        output,
        start: end - output.length,
        end,
      });
    }
  }
  return steps;
}

/** What a step prints, with all that varies named alike. */
export function plain(output: string): string {
  return VARIES.reduce((text, { pattern, as }) => text.replaceAll(pattern, as), output);
}

/** Which ids of a run stand for which of the page. */
export class Names {
  readonly #ofPage = new Map<string, string>();
  readonly #ofRun = new Map<string, string>();

  /** Pairs the ids of two outputs in their order, as far as they are new to both. */
  learn(page: string, run: string): void {
    const inRun = run.match(IDS) ?? [];
    for (const [index, id] of (page.match(IDS) ?? []).entries()) {
      const other = inRun[index];
      if (other === undefined || this.#ofPage.has(id) || this.#ofRun.has(other)) continue;
      this.#ofPage.set(id, other);
      this.#ofRun.set(other, id);
    }
  }

  /** A text of the page, with the ids of the run. */
  toRun(text: string): string {
    return text.replaceAll(IDS, (id) => this.#ofPage.get(id) ?? id);
  }

  /** An output of the run, with the ids of the page. */
  toPage(output: string): string {
    return output.replaceAll(IDS, (id) => this.#ofRun.get(id) ?? id);
  }
}

/** What a command printed, on both of its streams, and how it ended. */
export interface Printed {
  readonly output: string;
  readonly code: number;
}

/** A shell in a folder, whose commands see what those before them set. */
export interface Shell extends AsyncDisposable {
  run(command: string): Promise<Printed>;
  /** Starts what does not end by itself; what it has printed once these are so many lines. */
  start(command: string, lines: number): Promise<Printed>;
}

const PATIENCE_MS = 60_000;

/** Starts a shell that finds programs in the folder's `bin` first. */
export function openShell(folder: string, env: Readonly<Record<string, string>>): Shell {
  const options = {
    cwd: folder,
    stdout: "piped",
    stderr: "inherit",
    env: {
      HOME: folder,
      PATH: `${join(folder, "bin")}:${Deno.env.get("PATH") ?? ""}`,
      TZ: "UTC",
      LC_ALL: "C.UTF-8",
      ...env,
    },
  } as const;
  const shell = new Deno.Command("bash", { ...options, args: ["--noprofile", "--norc"], stdin: "piped" })
    .spawn();
  const input = shell.stdin.getWriter();
  const output = openReader(shell.stdout);
  const services: { readonly child: Deno.ChildProcess; readonly reader: Reader }[] = [];
  const mark = crypto.randomUUID();
  return {
    async run(command) {
      const line =
        `{\n${command}\n} < /dev/null 2>&1\ncode=$?; printf '\\n${mark} %d\\n' $code; (exit $code)\n`;
      await input.write(new TextEncoder().encode(line));
      const [text, code] = await output.until(new RegExp(`^([^]*)\\n${mark} (\\d+)\\n`));
      return { output: text!, code: Number(code) };
    },
    async start(command, lines) {
      const args = ["--noprofile", "--norc", "-c", `exec ${command}`];
      const child = new Deno.Command("bash", { ...options, args, stdin: "null" }).spawn();
      const reader = openReader(child.stdout);
      services.push({ child, reader });
      const [text] = await reader.until(new RegExp(`^((?:.*\\n){${lines}})`));
      return { output: text!, code: 0 };
    },
    async [Symbol.asyncDispose]() {
      await input.close();
      for (const { child } of services) child.kill("SIGTERM");
      await Promise.all([shell.status, ...services.map(({ child }) => child.status)]);
      await Promise.all([output.close(), ...services.map(({ reader }) => reader.close())]);
    },
  };
}

interface Reader {
  /** Takes what matches off the text, once it does; its groups. */
  until(pattern: RegExp): Promise<readonly (string | undefined)[]>;
  close(): Promise<void>;
}

function openReader(stream: ReadableStream<Uint8Array>): Reader {
  const chunks = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  return {
    async until(pattern) {
      for (const end = AbortSignal.timeout(PATIENCE_MS);;) {
        const found = pattern.exec(text);
        if (found) {
          text = text.slice(found[0].length);
          return found.slice(1);
        }
        const aborted = Promise.withResolvers<never>();
        const onAbort = () => aborted.reject(new Error(`The session stands still after:\n${text}`));
        end.addEventListener("abort", onAbort, { once: true });
        const { done, value } = await Promise.race([chunks.read(), aborted.promise]);
        end.removeEventListener("abort", onAbort);
        if (done) throw new Error(`The session ended after:\n${text}`);
        text += decoder.decode(value, { stream: true });
      }
    },
    close: () => chunks.cancel(),
  };
}
