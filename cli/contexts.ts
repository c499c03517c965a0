/** The servers that were signed in to, in a file that only its user can read. */

import { dirname, join } from "node:path";
import { Misuse } from "./misuse.ts";
import { dictionary, flag, object, omittable, type Shaped, text } from "./shape.ts";

const CONTEXT = object({
  server: text,
  username: omittable(text),
  password: omittable(text),
  /** Files of PEM. */
  ca: omittable(text),
  certificate: omittable(text),
  key: omittable(text),
  insecure_http: omittable(flag),
});

const CONTEXTS = object({ current: omittable(text), contexts: dictionary(CONTEXT) });

/** A server, and who one is there. */
export type Context = Partial<Shaped<typeof CONTEXT>> & { readonly server: string };

/** All of them, by name. */
export interface Contexts {
  readonly current?: string | undefined;
  readonly contexts: Readonly<Record<string, Context>>;
}

const NONE: Contexts = { contexts: {} };
const OTHERS = 0o077;

/** Where the contexts are. */
export function contextsPath(): string {
  const { env, build } = Deno;
  const folder = build.os === "windows"
    ? env.get("APPDATA")
    : env.get("XDG_CONFIG_HOME") || (env.get("HOME") && join(env.get("HOME")!, ".config"));
  if (!folder) {
    throw new Misuse("Cannot find a folder for credentials: neither XDG_CONFIG_HOME nor HOME is set");
  }
  return join(folder, "sregctl", "contexts.json");
}

/** The contexts; none where there is no file. Refuses a file that others can read, or that is another's. */
export async function readContexts(): Promise<Contexts> {
  const path = contextsPath();
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return NONE;
    throw new Misuse(`Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  using opened = file;
  const { mode, uid } = await opened.stat();
  if (uid !== null && uid !== Deno.uid()) {
    throw new Misuse(
      `Cannot use ${path}: it belongs to another user, who may have written any server into it`,
    );
  }
  if (mode !== null && (mode & OTHERS) !== 0) {
    throw new Misuse(
      `Cannot use ${path}: others can read the passwords in it; repair it with: chmod 600 ${path}`,
    );
  }
  return parseContexts(await new Response(opened.readable).text(), path);
}

/** Writes what `change` makes of the contexts, all or nothing; one process at a time. */
export async function changeContexts(change: (contexts: Contexts) => Contexts): Promise<void> {
  const path = contextsPath();
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  using lock = await Deno.open(`${path}.lock`, { create: true, write: true, mode: 0o600 });
  await lock.lock(true);
  const changed = change(await readContexts());
  const draft = await Deno.makeTempFile({ dir: dirname(path), prefix: ".contexts-" });
  try {
    await writeSynced(draft, `${JSON.stringify(changed, null, 2)}\n`);
    await Deno.rename(draft, path);
  } catch (error) {
    await Deno.remove(draft).catch(() => {});
    throw error;
  }
}

async function writeSynced(path: string, content: string): Promise<void> {
  if (Deno.build.os !== "windows") await Deno.chmod(path, 0o600);
  using file = await Deno.open(path, { write: true, truncate: true });
  for (let rest = new TextEncoder().encode(content); rest.byteLength > 0;) {
    rest = rest.subarray(await file.write(rest));
  }
  await file.sync();
}

function parseContexts(content: string, path: string): Contexts {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw new Misuse(`Cannot use ${path}: it is no JSON; sign in again after you have removed it`, {
      cause: error,
    });
  }
  const problem = CONTEXTS.problem(value, "");
  if (problem !== undefined) throw new Misuse(`Cannot use ${path}: ${problem}`);
  return value as Contexts;
}
