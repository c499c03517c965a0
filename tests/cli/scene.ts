/** sregctl as its own process, in a folder of files. */

import { fromFileUrl } from "../support/paths.ts";
import { ROOT, taskArguments } from "../support/registry.ts";

/** How sregctl ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with files, and sregctl in it. */
export interface Desk extends AsyncDisposable {
  readonly folder: string;
  /** Runs sregctl to its end, its output in pipes, its input `stdin`. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>, stdin?: string): Promise<Outcome>;
}

const RUN_TIMEOUT_MS = 60_000;

/** The arguments after `deno` that start sregctl as `deno task sregctl` does, from any folder. */
export function sregctlArguments(): string[] {
  const words = taskArguments("sregctl");
  const main = words.pop()!;
  return [...words, "--config", `${ROOT}deno.json`, fromFileUrl(new URL(`../../${main}`, import.meta.url))];
}

/** Makes a folder with these files. */
export async function openDesk(files: Readonly<Record<string, string>>): Promise<Desk> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
  const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}, stdin = "") => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...sregctlArguments(), ...args],
      cwd: folder,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { XDG_CONFIG_HOME: `${folder}/config`, ...env },
      signal: AbortSignal.timeout(RUN_TIMEOUT_MS),
    }).spawn();
    const [{ code, stdout, stderr }] = await Promise.all([child.output(), feed(child.stdin, stdin)]);
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  };
  return { folder, run, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** A program that has ended without reading all is no error here. */
async function feed(stream: WritableStream<Uint8Array>, text: string): Promise<void> {
  await new Blob([text]).stream().pipeTo(stream).catch(() => {});
}

/** What worked: this on standard output, nothing else. */
export function printed(code: number, stdout: string): Outcome {
  return { code, stdout, stderr: "" };
}

/** What was misused: this on standard error, nothing else. */
export function refused(stderr: string): Outcome {
  return { code: 2, stdout: "", stderr };
}

/** A configuration with rules, roles and an identity. */
export const CONFIG = `
[identity.alice-id]
username = "alice"
password = "$2y$10$......................lcP5v1kZuxX8mOK1Jd8iYx0AKr1SGdK"
groups = ["developers"]

[repository."public/**".access_policy]
rules = ['request.action == "get-manifest"']

[repository."team/*".access_policy]
rules = [
  '"developers" in identity.groups',
  'identity.certificate.common_names.contains("ci") && request.action.startsWith("put")',
]

[[binding]]
role = "admin"
users = ["root"]
`;
