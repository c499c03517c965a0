import { PluginError } from "@sreg/contract/error.ts";
import type { PluginOptions } from "@sreg/contract/plugin.ts";

/** One `access_policy` table of the configuration. */
export interface PolicySettings {
  /** Where the table stands: `["repository", "team/*", "access_policy"]`. */
  readonly path: readonly string[];
  /** The repositories that it is about; `null`: all, and what is about none. */
  readonly pattern: string | null;
  /** What holds where no rule is true; with `true` rules deny, with `false` they allow. */
  readonly defaultAllow: boolean;
  readonly rules: readonly string[];
}

/** One `retention_policy` table of the configuration. */
export type RetentionSettings = Omit<PolicySettings, "defaultAllow">;

/** The tables of retention among the plugin's options, which nobody has looked at before. */
export function parseRetention({ retention = [] }: PluginOptions): RetentionSettings[] {
  if (!Array.isArray(retention)) throw malformed("retention", "a list");
  return retention.map((value) => parseScope("retention", value));
}

/** The policies among the plugin's options, which nobody has looked at before. */
export function parseSettings({ policies = [] }: PluginOptions): PolicySettings[] {
  if (!Array.isArray(policies)) throw malformed("policies", "a list");
  return policies.map(parsePolicy);
}

function parsePolicy(value: unknown): PolicySettings {
  const scope = parseScope("policies", value);
  const { default_allow: defaultAllow } = Object(value) as Record<string, unknown>;
  if (typeof defaultAllow !== "boolean") throw malformed("policies", "default_allow in each");
  return { ...scope, defaultAllow };
}

function parseScope(setting: string, value: unknown): RetentionSettings {
  const { path, pattern = null, rules } = Object(value) as Record<string, unknown>;
  if (!isTexts(path)) throw malformed(setting, "path in each");
  if (pattern !== null && typeof pattern !== "string") throw malformed(setting, "a text as pattern, or none");
  if (!isTexts(rules)) throw malformed(setting, "rules in each");
  return { path, pattern, rules };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function malformed(setting: string, expected: string): PluginError {
  return new PluginError("failed", `Cannot read the setting ${setting}: expected ${expected}`);
}

/** A key of the configuration as its reader writes it: `repository."team/*".access_policy.rules[2]`. */
export function formatPath(path: readonly string[]): string {
  return path.map((key) => {
    if (/^\d+$/.test(key)) return `[${key}]`;
    return /^[\w-]+$/.test(key) ? `.${key}` : `.${JSON.stringify(key)}`;
  }).join("").replace(/^\./, "");
}
