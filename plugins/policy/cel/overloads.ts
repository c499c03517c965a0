import { didYouMean } from "@sreg/contract/nearest.ts";
import { formatKind, formatOneOf, joinShapes, type Shape, shapeOf } from "./shapes.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A call, as far as it is known before the rule runs. */
export interface CallShape {
  /** The function's name; an operator's is `_+_`. */
  readonly name: string;
  /** What it is called on: `target` of `target.name()`. */
  readonly target: Shape | undefined;
  readonly args: readonly Shape[];
}

/** What a call answers, or why it cannot answer anything. */
export type Resolved = { readonly shape: Shape } | { readonly problem: string };

/** What the macros want; a macro that is used otherwise is parsed as a call of an unknown function. */
const MACROS: Readonly<Record<string, string>> = {
  has: "has(identity.claims.name)",
  all: "list.all(item, condition)",
  exists: "list.exists(item, condition)",
  exists_one: "list.exists_one(item, condition)",
  filter: "list.filter(item, condition)",
  map: "list.map(item, value)",
};

type Overload = Vocabulary["environment"]["funcs"] extends Iterable<infer Item> ? Item : never;

/** Finds what a call of a function that there is comes to. */
export function resolveCall({ name, target, args }: CallShape, { environment }: Vocabulary): Resolved {
  const named = [...environment.funcs].filter((overload) => overload.name === name);
  const called = named.filter((overload) => (overload.target === undefined) === (target === undefined));
  if (called.length === 0) return { problem: wrongForm(name, named[0]!) };
  const counted = called.filter((overload) => overload.arguments.length === args.length);
  if (counted.length === 0) return { problem: wrongCount(name, called, args.length) };
  const fitting = counted.filter((overload) => fits(overload, target, args));
  if (fitting.length === 0) return { problem: wrongKinds(name, target, args) };
  return { shape: joinShapes(fitting.map(({ result }) => shapeOf(result.name))) };
}

/** The operator or function as rules write it: `+` for `_+_`. */
function formatFunction(name: string): string {
  return name === "@in" ? "in" : /^_?(\W+)_?$/.exec(name)?.[1] ?? name;
}

/** What to say of a function that there is not. */
export function unknownFunction(name: string, { environment }: Vocabulary): string | undefined {
  if (environment.funcs.find(name)) return undefined;
  const form = Object.hasOwn(MACROS, name) ? MACROS[name] : undefined;
  if (form !== undefined) return `"${name}" is used so: ${form}`;
  return `unknown function "${name}"${
    didYouMean(name, [...writtenNames(environment), ...Object.keys(MACROS)])
  }`;
}

/** The names of functions that can be written; operators have others. */
function writtenNames({ funcs }: Vocabulary["environment"]): Set<string> {
  return new Set([...funcs].map(({ name }) => name).filter((name) => /^[a-z]\w*$/i.test(name)));
}

function wrongForm(name: string, overload: Overload): string {
  const words = overload.arguments.map(() => "…").join(", ");
  return overload.target === undefined
    ? `"${name}" is used so: ${name}(${words})`
    : `"${name}" is used so: value.${name}(${words})`;
}

function wrongCount(name: string, overloads: readonly Overload[], found: number): string {
  const counts = [...new Set(overloads.map((overload) => overload.arguments.length))].sort();
  const noun = counts.length === 1 && counts[0] === 1 ? "argument" : "arguments";
  return `"${formatFunction(name)}" takes ${counts.join(" or ")} ${noun}, found ${found}`;
}

function wrongKinds(name: string, target: Shape | undefined, args: readonly Shape[]): string {
  const given = args.map(formatKind).join(" and ");
  const subject = target ? `"${name}" of ${formatOneOf(target)}` : `"${formatFunction(name)}"`;
  return given === "" ? `there is no ${subject}` : `${subject} does not take ${given}`;
}

function fits(overload: Overload, target: Shape | undefined, args: readonly Shape[]): boolean {
  const expected = [...(overload.target ? [overload.target] : []), ...overload.arguments];
  const given = [...(target ? [target] : []), ...args];
  return expected.every(({ name }, index) =>
    [name, given[index]!.kind].includes("dyn") || name === given[index]!.kind
  );
}
