import { comparePatterns, parsePattern } from "../plugins/contract/pattern.ts";
import type { Config } from "./config/mod.ts";
import type { RepositoryRules } from "./registry/tags.ts";
import { compileTagPatterns } from "./access/tag_patterns.ts";

/**
 * What the configuration forbids for all callers alike. Of each setting the most particular pattern that covers a
 * repository and says anything counts, else `[global]`.
 */
export function repositoryRules(
  { global, repositories }: Pick<Config, "global" | "repositories">,
): RepositoryRules {
  const scopes = repositories
    .toSorted(([a], [b]) => comparePatterns(a, b))
    .map(([text, settings]) => ({ pattern: parsePattern(text), ...compile(settings) }));
  const everywhere = { pattern: { text: "", covers: () => true }, ...compile(global) };
  const all = [...scopes, everywhere];
  const hasImmutable = (name: string) =>
    all.find(({ pattern, immutable }) => immutable !== undefined && pattern.covers(name))?.immutable ?? false;
  return {
    hasImmutable,
    isImmutable(name, tag) {
      if (!hasImmutable(name)) return false;
      const covering = all.filter(({ pattern }) => pattern.covers(name));
      return !covering.find(({ isExcluded }) => isExcluded)?.isExcluded?.(tag);
    },
    allowsDelete(name) {
      return all.find(({ pattern, deletes }) => deletes !== undefined && pattern.covers(name))?.deletes ??
        true;
    },
  };
}

function compile({ immutableTags, immutableTagsExclusions, deletes }: Config["global"]) {
  return {
    immutable: immutableTags,
    isExcluded: immutableTagsExclusions && compileTagPatterns(immutableTagsExclusions),
    deletes,
  };
}
