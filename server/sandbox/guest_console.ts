import { FRAME, type Post, TEXT_MAX } from "../../plugins/contract/wire.ts";

const LEVELS = {
  debug: "debug",
  log: "info",
  info: "info",
  warn: "warn",
  error: "error",
  trace: "debug",
} as const;
const LINES_PER_SECOND = 50;

/** Turns what the plugin says to its console into lines of the host's log; what is too much of it is dropped. */
export function redirectConsole(post: Post): void {
  const { inspect } = Deno;
  let second = 0;
  let lines = 0;
  const line = (level: string, values: readonly unknown[]) => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) [second, lines] = [now, 0];
    if (++lines > LINES_PER_SECOND) return;
    const text = values.map((value) => typeof value === "string" ? value : inspect(value)).join(" ");
    post([FRAME.log, 0, [level, text.slice(0, TEXT_MAX)]]);
  };
  const methods = Object.entries(LEVELS).map(([name, level]) =>
    [name, (...values: unknown[]) => line(level, values)] as const
  );
  Object.assign(globalThis.console, Object.fromEntries(methods));
}
