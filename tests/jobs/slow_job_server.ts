/**
 * A registry in a process of its own, whose kind `gc` counts to `steps`, one step each 20 ms, with a line a step. Its argument is
 * the configuration file. Says its URL on its first line.
 */

import { readConfig } from "../../server/config/mod.ts";
import { listen } from "../../server/http/listen.ts";
import { type JobKind, optionsParser } from "../../server/jobs/mod.ts";
import { createLog } from "../../server/observe/log.ts";
import type { Task } from "../../server/registry/task.ts";
import { createServer } from "../../server/server.ts";

const STEP_MS = 20;

const slow: JobKind<{ steps?: number }> = {
  kind: "gc",
  parseOptions: optionsParser({ steps: (value) => typeof value === "number" ? value : undefined }),
  run: ({ steps = 1 }, task) => count(steps, task),
};

async function count(steps: number, task: Task): Promise<object> {
  for (let step = Number(task.cursor ?? 0); step < steps; step++) {
    task.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    await task.line({ step, pid: Deno.pid });
    task.report({ phase: "count", done: step + 1, total: steps, unit: "steps", cursor: String(step + 1) });
  }
  return { counted: steps };
}

const read = await readConfig({ files: [Deno.args[0]!] });
const server = await createServer(read, createLog("info"), { kinds: () => [slow as JobKind] });
const listener = listen({ hostname: "127.0.0.1", port: 0 }, server.fetch);
Deno.addSignalListener("SIGTERM", async () => {
  await listener.close(0);
  await server.close();
  Deno.exit(0);
});
console.log(listener.url);
