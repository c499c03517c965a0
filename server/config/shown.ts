import type { Config } from "./load.ts";
import type { PluginConfig } from "./plugins.ts";
import { maskValue } from "./secrets.ts";

/** A configuration as JSON for people: all that is in force, defaults too, without secrets. Units end the names of keys. */
export function showConfig(config: Config): Readonly<Record<string, unknown>> {
  // What only counts where the store has identities or bindings, and which says nothing by itself.
  const { passwords: _passwords, roles: _roles, repositories, ...rest } = config as Config & {
    roles?: unknown;
  };
  const shown = Object.entries(rest).map(([key, value]) => [formatKey(key), showPart(value)]);
  const named = repositories.map(([pattern, settings]) => [pattern, showPart(settings)]);
  return maskValue({ ...Object.fromEntries(shown), repositories: Object.fromEntries(named) }) as Readonly<
    Record<string, unknown>
  >;
}

function showPart(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(showPart);
  if (typeof value !== "object" || value === null) return value;
  if (isPlugin(value)) return { plugin: value.name, isolation: value.isolation, options: value.options };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [formatKey(key), showPart(item)]));
}

function isPlugin(value: object): value is PluginConfig {
  return "entry" in value && "options" in value;
}

/** `idleTimeoutMs`: `idle_timeout_ms`. */
function formatKey(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
