/** The levels, from the most talkative. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** How much an operator should care. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line says besides its message: plain JSON values. Never a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes lines of at least the configured level. */
export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

/**
 * A log of JSON lines: `time` (RFC 3339), `level`, `message`, then the fields. Control characters arrive escaped, so no
 * name or error text can forge a line or move a terminal's cursor. A function as `least` is asked for every line.
 */
export function createLog(
  least: LogLevel | (() => LogLevel),
  write: (line: string) => void = writeToStderr,
): Log {
  const line = (level: LogLevel) => (message: string, fields?: LogFields) => {
    const leastNow = typeof least === "function" ? least() : least;
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(leastNow)) return;
    write(
      escapeControls(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })) + "\n",
    );
  };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

/** What JSON leaves as it is: DEL, the C1 controls and the marks that turn the direction of writing. */
function escapeControls(json: string): string {
  return json.replaceAll(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function writeToStderr(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}
