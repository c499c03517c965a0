import { jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { OciError } from "../oci/error.ts";
import type { Registry } from "../registry/registry.ts";
import {
  type AdminRoute,
  adminRoute,
  COUNT,
  listSchema,
  objectSchema,
  type Schema,
  TEXT,
  TEXTS,
  TIME,
} from "./route.ts";

/** How long calls took, in milliseconds; `null` where there were none. */
export interface Latency {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** Calls that have ended, since the plugin was started. */
export interface CallReport {
  readonly calls: number;
  readonly failures: number;
  readonly latency_ms: Latency;
}

/** A plugin that runs, as the administration tells of it. */
export interface PluginReport extends CallReport {
  /** Its name, and that of its instance: `fs`, `oidc.github`. */
  readonly name: string;
  readonly kind: string;
  readonly version: string;
  readonly description: string;
  readonly isolation: string;
  /** What it may touch. */
  readonly permissions: Readonly<Record<string, readonly string[]>>;
  /** Its settings, without secrets. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly state: "running" | "restarting";
  readonly restarts: number;
  readonly started_at: string;
  readonly methods: readonly (CallReport & { readonly name: string })[];
}

/** What the rows of plugins are served from. */
export interface PluginParts {
  /** The plugins of the configuration in force: storage, locks, cache, auth, policy, each in its order. */
  readonly plugins: () => readonly PluginReport[];
}

const MILLISECONDS: Schema = { type: ["number", "null"], minimum: 0 };

const CALLS = {
  calls: COUNT,
  failures: COUNT,
  latency_ms: objectSchema({ p50: MILLISECONDS, p99: MILLISECONDS, max: MILLISECONDS }),
};

const SHORT = {
  name: TEXT,
  kind: TEXT,
  version: TEXT,
  isolation: { enum: ["worker", "process"] },
  permissions: { type: "object", additionalProperties: TEXTS },
  state: { enum: ["running", "restarting"] },
  restarts: COUNT,
  started_at: TIME,
  ...CALLS,
};

const WHOLE = objectSchema({
  ...SHORT,
  description: TEXT,
  options: { type: "object" },
  methods: listSchema(objectSchema({ name: TEXT, ...CALLS })),
});

/** The rows of plugins. */
export function pluginRoutes({ plugins }: PluginParts): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/plugins", {
      action: "admin.list-plugins",
      summary: "The plugins that run: what each may touch, and how it does",
      answer: { status: 200, schema: objectSchema({ plugins: listSchema(objectSchema(SHORT)) }) },
      endpoint: () => Promise.resolve(jsonAnswer({ plugins: plugins().map(shorten) })),
    }),
    adminRoute("GET HEAD", "/admin/v1/plugins/<plugin>", {
      action: "admin.list-plugins",
      summary: "One plugin, with its settings and its methods",
      query: { kind: TEXT },
      answer: { status: 200, schema: WHOLE },
      endpoint: (registry, call) => show(registry, call, plugins()),
    }),
  ];
}

/** Plugins of several kinds may have one name (`webhook.main`): `kind` says which is meant, or it is the first. */
function show(
  _: Registry,
  { words, query }: Call<"plugin">,
  plugins: readonly PluginReport[],
): Promise<Response> {
  const kind = query.get("kind");
  const found = plugins.find((plugin) =>
    plugin.name === words.plugin && (kind === null || plugin.kind === kind)
  );
  if (found) return Promise.resolve(jsonAnswer(found));
  throw new OciError("UNSUPPORTED", "Cannot find the plugin: none of this name runs", { status: 404 });
}

function shorten({ description: _d, options: _o, methods: _m, ...plugin }: PluginReport) {
  return plugin;
}
