import {
  celEnv,
  celFunc,
  celList,
  celMethod,
  CelScalar,
  isCelList,
  isCelMap,
  listType,
  plan,
} from "@bufbuild/cel";
import { RE2JS } from "@bufbuild/re2";
import type { Expression } from "./tree.ts";
import type { Bindings } from "./variables.ts";

/**
 * What one rule may cost: each element of a list that a macro goes through counts as many steps as there are parts in
 * what is done with it; each character and element that is copied or searched counts one, and each character that is
 * matched as many as the pattern has states.
 */
export const STEPS_MAX = 1_000_000;

/** Goes through a list or map on behalf of a macro; the second argument is what each element costs. */
export const BOUNDED = "@bounded";

const { BOOL, BYTES, DYN, INT, STRING } = CelScalar;
const LIST = listType(DYN);

let stepsLeft = STEPS_MAX;

function spend(steps: number): void {
  stepsLeft -= steps;
  if (stepsLeft < 0) throw new Error(TOO_COSTLY);
}

const TOO_COSTLY = `takes more than ${STEPS_MAX} steps`;

const patterns = new Map<string, RE2JS>();

/** Rules name their patterns in full, so there are no more of them than the configuration holds. */
function compilePattern(text: string): RE2JS {
  const pattern = patterns.get(text) ?? RE2JS.compile(text);
  patterns.set(text, pattern);
  return pattern;
}

const standard = celEnv().funcs;

function isIn(list: Iterable<unknown> & { readonly size: number }, value: unknown): boolean {
  spend(list.size);
  return standard.find("@in")!.call(0, undefined, [value, list] as never) === true;
}

/** What rules can say besides CEL's standard functions, and those of them that are counted; regular expressions are RE2. */
export const ENVIRONMENT_OPTIONS = {
  funcs: [
    celMethod("contains", LIST, [DYN], BOOL, function (value) {
      return isIn(this, value);
    }),
    celFunc("@in", [DYN, LIST], BOOL, (value, list) => isIn(list, value)),
    celFunc("_+_", [STRING, STRING], STRING, (a, b) => {
      spend(a.length + b.length);
      return a + b;
    }),
    celFunc("_+_", [BYTES, BYTES], BYTES, (a, b) => {
      spend(a.length + b.length);
      return new Uint8Array([...a, ...b]);
    }),
    celFunc("_+_", [LIST, LIST], LIST, (a, b) => {
      spend(a.size + b.size);
      return celList([...a, ...b]);
    }),
    celFunc(BOUNDED, [DYN, INT], DYN, (range, cost) => {
      if (isCelList(range) || isCelMap(range)) spend(range.size * Number(cost));
      return range as never;
    }),
  ],
  re2: {
    compile: (pattern) => ({
      test(text) {
        const compiled = compilePattern(pattern);
        spend(text.length * compiled.re2().prog.numInst());
        return compiled.test(text);
      },
    }),
  },
} satisfies Parameters<typeof celEnv>[0];

/** What rules can say. */
export const ENVIRONMENT = celEnv(ENVIRONMENT_OPTIONS);

/** What came of a rule: its value, or an error of CEL. */
export type Evaluate = (bindings?: Bindings) => unknown;

/** Makes a part of a rule ready to run. It never throws; costing too much is an error whatever the rule makes of it. */
export function prepare(expression: Expression, environment = ENVIRONMENT): Evaluate {
  const run = plan(environment, expression);
  return (bindings) => {
    stepsLeft = STEPS_MAX;
    const result = run(bindings as never);
    return stepsLeft < 0 ? new Error(TOO_COSTLY) : result;
  };
}

/** Whether RE2 takes it for a pattern; what it says otherwise. */
export function patternProblem(text: string): string | undefined {
  try {
    compilePattern(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
