/** sregctl in a terminal of 80 columns and 24 lines: a pane of tmux. */

import { runCommand } from "../support/command.ts";
import { type Desk, sregctlArguments } from "./scene.ts";

/** A terminal in which sregctl runs. */
export interface Screen extends AsyncDisposable {
  /** Presses keys, as tmux names them: `y`, `Enter`, `C-c`. */
  press(...keys: readonly string[]): Promise<void>;
  /** What it shows, once that fits; fails with what it shows where it does not within 20 s. */
  waitFor(pattern: RegExp, options?: { readonly colours?: boolean }): Promise<string>;
  /** What it shows once sregctl has ended, and how it ended. */
  ended(): Promise<{ readonly code: number; readonly text: string }>;
}

/** Environment of sregctl. */
type Environment = Readonly<Record<string, string>>;

const PATIENCE_MS = 20_000;

/** Starts sregctl in a terminal. */
export async function openScreen(
  desk: Desk,
  args: readonly string[],
  env: Environment = {},
): Promise<Screen> {
  const socket = await Deno.makeTempFile({ dir: desk.folder });
  await Deno.remove(socket);
  const tmux = (...words: string[]) => runCommand("tmux", ["-S", socket, "-f", "/dev/null", ...words]);
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const command = [Deno.execPath(), ...sregctlArguments(), ...args].map(quote).join(" ");
  const variables = Object.entries({ XDG_CONFIG_HOME: `${desk.folder}/config`, ...env })
    .map(([name, value]) => quote(`${name}=${value}`)).join(" ");
  const code = `${socket}.code`;
  const script = `cd ${quote(desk.folder)}; trap : INT; env -u NO_COLOR ${variables} ${command}; ` +
    `echo $? > ${code}.new; mv ${code}.new ${code}; tmux -S ${socket} wait-for -S ended; sleep 60`;
  await tmux("new-session", "-d", "-x", "80", "-y", "24", `bash -c ${quote(script)}`);
  const capture = async (colours = false) =>
    (await tmux("capture-pane", "-p", ...(colours ? ["-e"] : []))).trimEnd();
  return {
    press: async (...keys) => void await tmux("send-keys", ...keys),
    async waitFor(pattern, { colours = false } = {}) {
      for (const endMs = Date.now() + PATIENCE_MS;;) {
        const text = await capture(colours);
        if (pattern.test(text)) return text;
        if (Date.now() > endMs) throw new Error(`The terminal does not show ${pattern}, but:\n${text}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async ended() {
      await tmux("wait-for", "ended");
      return { code: Number(await Deno.readTextFile(code)), text: await capture() };
    },
    [Symbol.asyncDispose]: async () => void await tmux("kill-server"),
  };
}
