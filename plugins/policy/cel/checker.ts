import { didYouMean } from "@sreg/contract/nearest.ts";
import { literalProblem, wordProblem } from "./literals.ts";
import { resolveCall, unknownFunction } from "./overloads.ts";
import type { RuleProblem } from "./problem.ts";
import {
  ANY_MAP,
  BOOL,
  canBeEqual,
  DYN,
  formatOneOf,
  isNumber,
  joinShapes,
  listOf,
  type Shape,
  STRING,
  TYPE,
} from "./shapes.ts";
import type { Source, Span } from "./source.ts";
import { type Call, type Comprehension, type Expression, literalOf, nameOf, type Select } from "./tree.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** How deep macros such as `exists` may stand in one another. */
export const MACRO_DEPTH_MAX = 2;

const TYPE_NAMES = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/** What is known at a place of a rule. */
interface Scope {
  /** The variables of the macros around it. */
  readonly locals: ReadonlyMap<string, Shape>;
  /** How many macros are around it. */
  readonly depth: number;
}

/** Goes over a rule's tree, and finds what can be known to be wrong before it runs. */
export class RuleChecker {
  /** What is wrong, in the order in which it was found. */
  readonly problems: RuleProblem[] = [];
  /** The variables that the rule reads, by their whole names: `request.tags`. */
  readonly reads = new Set<string>();
  readonly #source: Source;
  readonly #vocabulary: Vocabulary;

  constructor(source: Source, vocabulary: Vocabulary) {
    this.#source = source;
    this.#vocabulary = vocabulary;
  }

  /** Looks at a whole rule. */
  check(rule: Expression): void {
    const shape = this.#infer(rule, { locals: new Map(), depth: 0 });
    this.#expectBool(rule, shape);
  }

  #report(span: Span, message: string): Shape {
    const { offset, length } = span;
    const isKnown = this.problems.some((problem) => problem.offset === offset && problem.message === message);
    if (!isKnown) this.problems.push({ offset, length, message });
    return DYN;
  }

  #infer(expression: Expression, scope: Scope): Shape {
    const { exprKind } = expression;
    switch (exprKind.case) {
      case "constExpr":
        return CONSTANTS[exprKind.value.constantKind.case ?? ""] ?? DYN;
      case "identExpr":
        return this.#inferName(expression, exprKind.value.name, scope);
      case "selectExpr":
        return this.#inferSelect(expression, exprKind.value, scope);
      case "callExpr":
        return this.#inferCall(expression, exprKind.value, scope);
      case "listExpr":
        return listOf(joinShapes(exprKind.value.elements.map((element) => this.#infer(element, scope))));
      case "comprehensionExpr":
        return this.#inferComprehension(expression, exprKind.value, scope);
      case "structExpr":
        return this.#inferMap(expression, scope);
      default:
        return DYN;
    }
  }

  #inferName(expression: Expression, name: string, { locals }: Scope): Shape {
    const local = locals.get(name);
    if (local) return local;
    const span = this.#source.spanOf(expression);
    const variable = this.#variable(name);
    if (variable && !variable.fields) return variable;
    if (variable) {
      const [field] = Object.keys(variable.fields!);
      return this.#report(
        span,
        `"${name}" is no value itself, name one of its fields, such as ${name}.${field}`,
      );
    }
    if (TYPE_NAMES.includes(name)) return TYPE;
    const hint = didYouMean(
      name,
      [...Object.keys(this.#vocabulary.variables), ...locals.keys()].filter(isWritten),
    );
    return this.#report(span, `unknown variable "${name}"${hint}`);
  }

  /** What a field or an element is taken of: here the variables of questions may stand. */
  #inferOperand(expression: Expression, scope: Scope): Shape {
    const name = nameOf(expression);
    const variable = name === undefined || scope.locals.has(name) ? undefined : this.#variable(name);
    return variable ?? this.#infer(expression, scope);
  }

  #variable(name: string): Shape | undefined {
    const { variables } = this.#vocabulary;
    return Object.hasOwn(variables, name) ? variables[name] : undefined;
  }

  #inferSelect(expression: Expression, select: Select, scope: Scope): Shape {
    const shape = this.#inferPresent(expression, select, scope);
    return select.testOnly ? BOOL : shape;
  }

  #inferPresent(expression: Expression, { operand, field }: Select, scope: Scope): Shape {
    const shape = this.#inferOperand(operand!, scope);
    const span = this.#source.spanOfField(expression, field);
    if (shape.kind === "dyn") return DYN;
    if (shape.kind !== "map") return this.#report(span, `${formatOneOf(shape)} has no fields`);
    return shape.fields ? this.#inferField(shape, { field, span }) : shape.element!;
  }

  #inferField(
    { path, fields = {} }: Shape,
    { field, span }: { readonly field: string; readonly span: Span },
  ): Shape {
    const name = `${path}.${field}`;
    this.reads.add(name);
    if (Object.hasOwn(fields, field)) return fields[field]!;
    const hint = didYouMean(field, Object.keys(fields), { prefix: `${path}.` });
    return this.#report(span, `unknown variable "${name}"${hint}`);
  }

  #inferCall(expression: Expression, call: Call, scope: Scope): Shape {
    switch (call.function) {
      case "_&&_":
      case "_||_":
      case "@not_strictly_false":
        return this.#inferLogic(call, scope);
      case "_?_:_":
        return this.#inferChoice(call, scope);
      case "_[_]":
        return this.#inferIndex(call, scope);
      default:
        return this.#inferFunction(expression, call, scope);
    }
  }

  #inferLogic(call: Call, scope: Scope): Shape {
    for (const operand of call.args) {
      this.#expectBool(operand, this.#infer(operand, scope));
    }
    return BOOL;
  }

  #inferChoice({ args }: Call, scope: Scope): Shape {
    const [condition, ...choices] = args as [Expression, ...Expression[]];
    this.#expectBool(condition, this.#infer(condition, scope));
    return joinShapes(choices.map((choice) => this.#infer(choice, scope)));
  }

  #expectBool(expression: Expression, shape: Shape): void {
    if (shape.kind === "bool" || shape.kind === "dyn") return;
    this.#report(this.#source.spanOf(expression), `expected a bool, this is ${formatOneOf(shape)}`);
  }

  #inferIndex({ args }: Call, scope: Scope): Shape {
    const [operand, index] = args as [Expression, Expression];
    const shape = this.#inferOperand(operand, scope);
    const key = this.#infer(index, scope);
    const span = this.#source.spanOf(index);
    if (shape.kind === "dyn") return DYN;
    if (shape.fields) {
      const field = literalOf(index);
      if (field !== undefined) return this.#inferField(shape, { field, span });
      return this.#report(span, `a field of ${shape.path} must be written out`);
    }
    if (shape.kind === "map") return shape.element!;
    if (shape.kind !== "list") return this.#report(span, `${formatOneOf(shape)} has no elements`);
    if (key.kind === "dyn" || isNumber(key)) return shape.element!;
    return this.#report(span, `an element of a list is named by a number, this is ${formatOneOf(key)}`);
  }

  #inferFunction(expression: Expression, call: Call, scope: Scope): Shape {
    const span = this.#source.spanOfCall(expression);
    const unknown = unknownFunction(call.function, this.#vocabulary);
    if (unknown !== undefined) return this.#report(span, unknown);
    const target = call.target && this.#infer(call.target, scope);
    const args = call.args.map((arg) => this.#infer(arg, scope));
    const resolved = resolveCall({ name: call.function, target, args }, this.#vocabulary);
    if ("problem" in resolved) return this.#report(span, resolved.problem);
    const problem = literalProblem(expression, call);
    if (problem !== undefined) this.#report(this.#source.spanOf(call.args[0]!), problem);
    this.#compareAll(expression, call, { target, args });
    return resolved.shape;
  }

  /** What stands on both sides of `==`, `!=`, `in` and `contains` must have a chance to be equal. */
  #compareAll(
    expression: Expression,
    call: Call,
    { target, args }: { readonly target: Shape | undefined; readonly args: readonly Shape[] },
  ): void {
    const span = this.#source.spanOfCall(expression);
    const [first, second] = call.args as [Expression, Expression];
    if (call.function === "_==_" || call.function === "_!=_") {
      this.#compare({ expression: first, shape: args[0]! }, { expression: second, shape: args[1]! }, span);
    } else if (call.function === "@in") {
      this.#compareElements(
        { expression: first, shape: args[0]! },
        { expression: second, shape: args[1]! },
        span,
      );
    } else if (call.function === "contains" && target?.kind === "list") {
      this.#compareElements({ expression: first, shape: args[0]! }, {
        expression: call.target!,
        shape: target,
      }, span);
    }
  }

  #compareElements(value: Side, list: Side, span: Span): void {
    const kind = list.expression?.exprKind;
    const element = list.shape.kind === "list" ? list.shape.element! : DYN;
    const sides = kind?.case === "listExpr" ? kind.value.elements : [undefined];
    for (const side of sides) {
      const shape = side && CONSTANTS[constantCase(side)];
      this.#compare(value, { expression: side, shape: shape ?? element }, span);
    }
  }

  #compare(left: Side, right: Side, operator: Span): void {
    for (const [side, other] of [[left, right], [right, left]] as const) {
      const problem = side.expression && wordProblem(side.expression, other.shape);
      if (problem !== undefined) this.#report(this.#source.spanOf(side.expression!), problem);
    }
    if (canBeEqual(left.shape, right.shape)) return;
    this.#report(operator, `${formatOneOf(left.shape)} never equals ${formatOneOf(right.shape)}`);
  }

  #inferMap(expression: Expression, scope: Scope): Shape {
    if (expression.exprKind.case !== "structExpr") return DYN;
    const { messageName, entries } = expression.exprKind.value;
    if (messageName !== "") {
      return this.#report(this.#source.spanOf(expression), `unknown type "${messageName}"`);
    }
    for (const { keyKind, value } of entries) {
      if (keyKind.case === "mapKey") this.#infer(keyKind.value, scope);
      if (value) this.#infer(value, scope);
    }
    return ANY_MAP;
  }

  #inferComprehension(expression: Expression, comprehension: Comprehension, scope: Scope): Shape {
    const { iterVar, accuVar, iterRange, accuInit, loopCondition, loopStep, result } = comprehension;
    const span = this.#source.spanOfCall(expression);
    const range = this.#infer(iterRange!, scope);
    const accumulated = this.#infer(accuInit!, scope);
    if (!["list", "map", "dyn"].includes(range.kind)) {
      return this.#report(span, `only lists and maps can be gone through, this is ${formatOneOf(range)}`);
    }
    if (this.#variable(iterVar)) return this.#report(span, `the name "${iterVar}" is taken`);
    if (scope.depth === MACRO_DEPTH_MAX) {
      return this.#report(span, `macros stand in one another deeper than ${MACRO_DEPTH_MAX} levels`);
    }
    const item = range.kind === "list" ? range.element! : range.fields ? STRING : DYN;
    const total = accumulated.kind === "list" ? listOf(DYN) : accumulated;
    const locals = new Map([...scope.locals, [iterVar, item], [accuVar, total]]);
    const inner = { locals, depth: scope.depth + 1 };
    this.#infer(loopCondition!, inner);
    this.#infer(loopStep!, inner);
    return this.#infer(result!, inner);
  }
}

/** One side of a comparison; without an expression it is any element of a list. */
interface Side {
  readonly expression: Expression | undefined;
  readonly shape: Shape;
}

function constantCase({ exprKind }: Expression): string {
  return exprKind.case === "constExpr" ? exprKind.value.constantKind.case ?? "" : "";
}

/** Names that macros make for themselves cannot be written. */
function isWritten(name: string): boolean {
  return !name.startsWith("@");
}

const CONSTANTS: Readonly<Record<string, Shape>> = {
  boolValue: BOOL,
  bytesValue: { kind: "bytes" },
  doubleValue: { kind: "double" },
  int64Value: { kind: "int" },
  nullValue: { kind: "null_type" },
  stringValue: STRING,
  uint64Value: { kind: "uint" },
};
