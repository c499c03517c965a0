import { isCelError, parse } from "@bufbuild/cel";
import { patternProblem, prepare } from "./environment.ts";
import { didYouMean } from "@sreg/contract/nearest.ts";
import type { Shape } from "./shapes.ts";
import { type Call, type Expression, literalOf } from "./tree.ts";

const CONVERSIONS = ["bool", "double", "duration", "int", "timestamp", "uint"];

/** What is wrong with the literal that a call was given, which would be an error whenever the rule ran. */
export function literalProblem(expression: Expression, call: Call): string | undefined {
  const text = literalOf(call.args[0]);
  if (call.function === "matches") {
    if (text === undefined) return "a pattern must be written out";
    const problem = patternProblem(text);
    return problem && `invalid pattern: ${problem}`;
  }
  if (text === undefined) return undefined;
  if (CONVERSIONS.includes(call.function)) {
    return isCelError(prepare(expression)()) ? `not a ${call.function}: "${text}"` : undefined;
  }
  if (call.function.startsWith("get")) {
    return isCelError(inZone({ zone: text })) ? `unknown time zone "${text}"` : undefined;
  }
  return undefined;
}

const inZone = prepare(parse("timestamp('2000-01-01T00:00:00Z').getHours(zone)").expr!);

/** What is wrong with a text that is compared with a value which is one of certain words. */
export function wordProblem(literal: Expression, { words }: Shape): string | undefined {
  const text = literalOf(literal);
  if (words === undefined || text === undefined) return undefined;
  if (words.known.includes(text) || text.startsWith(words.prefix)) return undefined;
  return `unknown ${words.noun} "${text}"${didYouMean(text, words.known)}`;
}
