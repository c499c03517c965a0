import { openClient, pathOf } from "../client.ts";
import { formatFacts, formatTime, showTable } from "../format.ts";
import type { GlobalFlags } from "../frame.ts";
import { write, writeJson } from "../output.ts";
import {
  type Absent,
  anything,
  dictionary,
  list,
  number,
  object,
  optional,
  type Shaped,
  text,
} from "../shape.ts";
import { type Cell, formatTable } from "../table.ts";

const LATENCY = object({ p50: optional(number), p99: optional(number), max: optional(number) });

const FIELDS = {
  name: text,
  kind: text,
  version: optional(text),
  isolation: text,
  permissions: dictionary(anything),
  state: text,
  calls: number,
  failures: number,
  latency_ms: optional(LATENCY),
  restarts: number,
  started_at: optional(text),
};

const PLUGINS = object({ plugins: list(object(FIELDS)) });

const PLUGIN = object({
  ...FIELDS,
  description: optional(text),
  options: optional(dictionary(anything)),
  methods: optional(
    list(object({ name: text, calls: number, failures: number, latency_ms: optional(LATENCY) })),
  ),
});

/** Lists plugins. */
export async function listPlugins(flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const answer = await client.ask({ path: "/admin/v1/plugins", shape: PLUGINS });
  return await showTable(answer, {
    json: flags.json,
    headings: ["plugin", "kind", "may touch", "state", "calls", "failed", "p99 ms", "restarts"],
    rows: answer.plugins.map((plugin) => [
      plugin.version ? [plugin.name, plugin.version] : plugin.name,
      [plugin.kind, plugin.isolation],
      formatPermissions(plugin.permissions),
      (plugin.state === "running" ? plugin.state : { text: plugin.state, tone: "bad" }) as Cell,
      String(plugin.calls),
      String(plugin.failures),
      formatMs(plugin.latency_ms?.p99),
      String(plugin.restarts),
    ]),
    none: "No plugin runs",
  });
}

/** Shows a plugin. */
export async function showPlugin(name: string, flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const plugin = await client.ask({ path: pathOf`/admin/v1/plugins/${name}`, shape: PLUGIN });
  if (flags.json) {
    writeJson(plugin);
    return 0;
  }
  write(formatFacts(factsOf(plugin)));
  const { methods } = plugin;
  if (!methods || methods.length === 0) return 0;
  const rows = methods.map(({ name, calls, failures, latency_ms }) => [
    name,
    String(calls),
    String(failures),
    formatMs(latency_ms?.p50),
    formatMs(latency_ms?.p99),
    formatMs(latency_ms?.max),
  ]);
  write(`\n${await formatTable(["method", "calls", "failed", "p50 ms", "p99 ms", "max ms"], rows)}`);
  return 0;
}

function factsOf(plugin: Shaped<typeof PLUGIN>): (readonly [string, string | Absent])[] {
  const { latency_ms: latency } = plugin;
  return [
    ["plugin", plugin.name],
    ["description", plugin.description],
    ["kind", plugin.kind],
    ["version", plugin.version],
    ["isolation", plugin.isolation],
    ["state", plugin.state],
    ["running since", formatTime(plugin.started_at)],
    ["restarts", String(plugin.restarts)],
    ["calls", `${plugin.calls}, ${plugin.failures} failed`],
    [
      "latency",
      latency &&
      `p50 ${formatMs(latency.p50)} ms, p99 ${formatMs(latency.p99)} ms, max ${formatMs(latency.max)} ms`,
    ],
    ["may touch", formatPermissions(plugin.permissions).join("; ")],
    ...Object.entries(plugin.options ?? {}).map(([name, value]) =>
      [`option ${name}`, formatOption(value)] as const
    ),
  ];
}

function formatPermissions(permissions: Readonly<Record<string, unknown>>): string[] {
  const granted = Object.entries(permissions).flatMap(([name, value]) => {
    if (value === true) return [`${name}: all`];
    return Array.isArray(value) && value.length > 0 ? [`${name}: ${value.map(formatGrant).join(", ")}`] : [];
  });
  return granted.length > 0 ? granted : ["nothing"];
}

/** A folder of the runtime's cache is called by the package that it holds. */
function formatGrant(value: unknown): string {
  const text = String(value);
  const [, name, version] = /\/npm\/registry\.npmjs\.org\/((?:@[^/]+\/)?[^/]+)\/(\d[^/]*)$/.exec(text) ?? [];
  return name === undefined ? text : `npm:${name}@${version}`;
}

function formatMs(ms: number | Absent): string {
  if (ms === undefined || ms === null) return "-";
  return ms < 10 ? ms.toFixed(2) : String(Math.round(ms));
}

function formatOption(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}
