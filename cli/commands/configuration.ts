import { openClient } from "../client.ts";
import { formatFacts, formatTime } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { count, harmless, write, writeError, writeJson } from "../output.ts";
import { anything, dictionary, flag, list, number, object, optional, type Shaped, text } from "../shape.ts";

const CONFIG = object({ files: list(text), loaded_at: optional(text), config: dictionary(anything) });

const PROBLEMS = list(object({
  file: optional(text),
  line: optional(number),
  column: optional(number),
  key: optional(text),
  message: text,
}));

const CHECKED = object({ ok: flag, problems: PROBLEMS });
const RELOADED = object({ reloaded: flag, problems: PROBLEMS });

/** Shows what a server runs with. */
export async function showConfig(flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const answer = await client.ask({ path: "/admin/v1/config", shape: CONFIG });
  if (flags.json) {
    writeJson(answer);
    return 0;
  }
  write(formatFacts([
    ["files", answer.files.join(", ") || "none: the default configuration"],
    ["read", formatTime(answer.loaded_at)],
  ]));
  write(`\n${formatFacts(flatten(answer.config, ""))}`);
  return 0;
}

/** Lets a server read its files again; 1 where they cannot be used. */
export async function reloadConfig(flags: DeleteFlags): Promise<number> {
  using client = await openClient(flags);
  const answer = flags.dryRun
    ? await client.ask({ method: "POST", path: "/admin/v1/config/check", body: {}, shape: CHECKED })
    : await client.ask({ method: "POST", path: "/admin/v1/config/reload", body: {}, shape: RELOADED });
  const isGood = "ok" in answer ? answer.ok : answer.reloaded;
  if (flags.json) writeJson(answer);
  else if (isGood) {
    write(flags.dryRun ? "The files of the server are good\n" : "The server has read its files again\n");
  } else showProblems(answer.problems);
  return isGood ? 0 : 1;
}

function showProblems(problems: Shaped<typeof PROBLEMS>): void {
  writeError(`The server goes on as before: ${count(problems.length, "problem")}`);
  for (const { file, line, column, key, message } of problems) {
    const place = [file, line, column].filter((part) => part !== undefined && part !== null).join(":");
    writeError(
      harmless([place, key, message].filter(Boolean).join(": ")),
    );
  }
}

/** The values of a configuration, each with its whole key, and durations and sizes as files have them. */
function flatten(value: unknown, key: string): (readonly [string, string])[] {
  if (isGroup(value)) {
    return Object.entries(value).flatMap(([name, item]) => {
      if (Array.isArray(value)) return flatten(item, `${key}[${name}]`);
      return flatten(item, key === "" ? name : `${key}.${name}`);
    });
  }
  const [ending, units] = Object.entries(UNITS).find(([ending]) => key.endsWith(ending)) ?? [];
  if (typeof value === "number" && ending !== undefined) {
    return [[key.slice(0, -ending.length), JSON.stringify(formatSetting(value, units!))]];
  }
  return [[key, JSON.stringify(value) ?? ""]];
}

/** Whether a value has others in it that have keys. */
function isGroup(value: unknown): value is object {
  if (Array.isArray(value)) return value.some(isGroup);
  return typeof value === "object" && value !== null;
}

type Units = readonly (readonly [unit: string, size: number])[];

/** By how the names of keys end: the largest unit first. */
const UNITS: Readonly<Record<string, Units>> = {
  _ms: [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1_000], ["ms", 1]],
  _bytes: [
    ...["T", "G", "M", "K"].flatMap((prefix, index): Units => [
      [`${prefix}iB`, 1024 ** (4 - index)],
      [`${prefix}B`, 1000 ** (4 - index)],
    ]),
    ["B", 1],
  ],
};

/** `90d`, `30s`, `128MB`: the largest unit of which it is a whole number. */
function formatSetting(value: number, units: Units): string {
  const [unit, size] = units.find(([, size]) => value >= size && value % size === 0) ?? units.at(-1)!;
  return `${value / size}${unit}`;
}
