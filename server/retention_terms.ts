import { comparePatterns, parsePattern } from "../plugins/contract/pattern.ts";
import type { Config } from "./config/mod.ts";
import type { StartedPlugin } from "./plugins.ts";
import type { RepositoryName } from "./oci/name.ts";
import type { Keeper, RetentionTerms } from "./registry/retention.ts";

/** What retention of a repository goes by; `undefined`: nobody says what to keep, and nothing is deleted. */
export type TermsOf = (name: RepositoryName) => RetentionTerms | undefined;

const NO_TABLE: NonNullable<Config["global"]["retentionPolicy"]> = { rules: [], minAgeMs: 60 * 60 * 1000 };

/**
 * What a configuration says of retention, and its plugins that can be asked. Of the tables that are about a repository the most
 * particular one counts alone, else that of `[global]`: its rules, and its ages.
 */
export function retentionTerms(
  { global, repositories, retention }: Pick<Config, "global" | "repositories" | "retention">,
  plugins: readonly Pick<StartedPlugin<"policy">, "name" | "contract">[],
): TermsOf {
  const scopes = repositories
    .toSorted(([a], [b]) => comparePatterns(a, b))
    .flatMap(([text, { retentionPolicy }]) =>
      retentionPolicy ? [{ ...retentionPolicy, covers: parsePattern(text).covers }] : []
    );
  const keepers: Keeper[] = plugins.map(({ name, contract }) => ({
    name,
    retain: (question) => contract.retain!(question),
  }));
  const others = keepers.filter(({ name }) => name !== retention?.name);
  return (name) => {
    const table = scopes.find(({ covers }) => covers(name)) ?? global.retentionPolicy ?? NO_TABLE;
    const asked = table.rules.length > 0 ? keepers : others;
    if (asked.length === 0) return undefined;
    const { minAgeMs, untaggedAfterMs } = table;
    return { keepers: asked, minAgeMs, untaggedAfterMs };
  };
}
