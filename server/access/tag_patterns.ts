import { RE2JS } from "@bufbuild/re2";

/**
 * Whether a tag is one of those that `patterns` mean: a name as it is, or a regular expression, which is what anything
 * else than a name's own characters makes of it: in RE2's syntax, so that matching takes linear time.
 */
export function compileTagPatterns(patterns: readonly string[]): (tag: string) => boolean {
  const names = new Set(patterns.filter((pattern) => /^[\w-]+$/.test(pattern)));
  const expressions = patterns.filter((pattern) => !names.has(pattern)).map((pattern) =>
    RE2JS.compile(pattern)
  );
  return (tag) => names.has(tag) || expressions.some((expression) => expression.test(tag));
}
