import { openClient } from "../client.ts";
import { formatDuration, formatFacts, formatTime } from "../format.ts";
import type { GlobalFlags } from "../frame.ts";
import { write, writeJson } from "../output.ts";
import { anything, flag, list, number, object, optional, text } from "../shape.ts";

const STATUS = object({
  version: text,
  started_at: optional(text),
  uptime_s: number,
  deno: optional(text),
  listen: optional(list(text)),
  storage: optional(object({ plugin: text, reachable: flag })),
  repositories: optional(number),
  running_job: optional(text),
  config: optional(object({ files: list(text), loaded_at: optional(text), last_error: anything })),
});

/** Shows how the server is; 1 where its storage is not to be reached. */
export async function showStatus(flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const status = await client.ask({ path: "/admin/v1/status", shape: STATUS });
  const { storage, config } = status;
  const code = storage?.reachable === false ? 1 : 0;
  if (flags.json) {
    writeJson(status);
    return code;
  }
  const { last_error } = config ?? {};
  write(formatFacts([
    ["server", client.origin],
    ["version", `sreg ${status.version}${status.deno ? `, Deno ${status.deno}` : ""}`],
    ["up for", `${formatDuration(status.uptime_s)}, since ${formatTime(status.started_at)}`],
    ["listens at", status.listen?.join(", ")],
    ["storage", storage && `${storage.plugin}, ${storage.reachable ? "reachable" : "NOT REACHABLE"}`],
    ["repositories", String(status.repositories ?? "")],
    ["running job", status.running_job ?? "none"],
    [
      "configuration",
      config && `${config.files.join(", ") || "the default"}, read ${formatTime(config.loaded_at)}`,
    ],
    [
      "last problem",
      typeof last_error === "string" ? last_error : last_error ? JSON.stringify(last_error) : undefined,
    ],
  ]));
  return code;
}
