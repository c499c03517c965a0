import { isCelError, parse } from "@bufbuild/cel";
import { RuleChecker } from "./checker.ts";
import { type Evaluate, prepare } from "./environment.ts";
import type { RuleProblem } from "./problem.ts";
import { rewriteRule } from "./rewrite.ts";
import { createSource } from "./source.ts";
import { isDeeperThan, type ParsedRule } from "./tree.ts";
import { type Bindings, TIME, UNKNOWN_AHEAD } from "./variables.ts";
import { ACCESS, type Vocabulary } from "./vocabulary.ts";

/** How long a rule may be, in UTF-16 code units. */
export const TEXT_MAX = 8192;

/** How deep parts of a rule may stand in one another. */
export const DEPTH_MAX = 100;

/** What came of a rule; `unknown`: that depends on what is not known yet. */
export type Verdict = boolean | "unknown" | { readonly error: string };

/** A rule that is ready to run. */
export interface Rule {
  readonly text: string;
  /** Whether the same question may have another answer at another time. */
  readonly readsTime: boolean;
  /** Runs it. It never throws. */
  evaluate(bindings: Bindings, options: { readonly ahead: boolean }): Verdict;
}

/** A rule, or what is wrong with it. */
export type CompiledRule =
  | { readonly rule: Rule; readonly problems: readonly [] }
  | { readonly rule?: undefined; readonly problems: readonly [RuleProblem, ...RuleProblem[]] };

/** Reads a rule, of access unless it is said to be another, and looks for all that can be known to be wrong with it. */
export function compileRule(text: string, vocabulary: Vocabulary = ACCESS): CompiledRule {
  if (text.length > TEXT_MAX) {
    const message = `a rule has at most ${TEXT_MAX} characters, this one has ${text.length}`;
    return { problems: [{ offset: TEXT_MAX, length: text.length - TEXT_MAX, message }] };
  }
  const parsed = parseRule(text);
  if ("message" in parsed) return { problems: [parsed] };
  const expression = parsed.expr!;
  if (isDeeperThan(DEPTH_MAX, expression)) return { problems: [tooDeep(text)] };
  const checker = new RuleChecker(createSource(text, parsed), vocabulary);
  checker.check(expression);
  const [first, ...rest] = checker.problems.toSorted((a, b) => a.offset - b.offset);
  if (first) return { problems: [first, ...rest] };
  rewriteRule(expression, vocabulary);
  const run = prepare(expression, vocabulary.environment);
  return { rule: createRule(text, { run, reads: checker.reads }), problems: [] };
}

function createRule(
  text: string,
  { run, reads }: { readonly run: Evaluate; readonly reads: ReadonlySet<string> },
): Rule {
  const readsUnknown = UNKNOWN_AHEAD.some((name) => reads.has(name));
  return {
    text,
    readsTime: reads.has(TIME),
    evaluate(bindings, { ahead }) {
      const result = run(bindings);
      if (typeof result === "boolean") return result;
      if (ahead && readsUnknown) return "unknown";
      if (isCelError(result) || result instanceof Error) return { error: result.message };
      return { error: "it came to no bool" };
    },
  };
}

function parseRule(text: string): ParsedRule | RuleProblem {
  try {
    return parse(text);
  } catch (error) {
    return error instanceof RangeError ? tooDeep(text) : syntaxProblem(text, error as SyntaxFailure);
  }
}

function tooDeep(text: string): RuleProblem {
  return { offset: 0, length: text.length, message: `it is nested deeper than ${DEPTH_MAX} levels` };
}

/** What the package's parser throws. */
interface SyntaxFailure extends Error {
  readonly location?: { readonly start: { readonly offset: number } };
}

function syntaxProblem(text: string, { location, message }: SyntaxFailure): RuleProblem {
  const offset = location?.start.offset;
  if (offset === undefined) return { offset: 0, length: text.length, message };
  if (offset >= text.length) return { offset, length: 0, message: "syntax error: the rule ends too early" };
  const operator = OPERATOR.exec(text.slice(offset))?.[0];
  // Where what stands behind an operator makes no sense, the parser's furthest place is the operator.
  if (operator !== undefined) {
    return { offset, length: operator.length, message: `syntax error at or behind "${operator}"` };
  }
  const found = String.fromCodePoint(text.codePointAt(offset)!);
  const hint = found === "=" ? ', did you mean "=="?' : "";
  return { offset, length: found.length, message: `syntax error at ${JSON.stringify(found)}${hint}` };
}

const OPERATOR = /^(?:[=!<>]=|&&|\|\||[-+*/%<>!?])/;
