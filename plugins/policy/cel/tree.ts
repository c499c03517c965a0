import type { parse } from "@bufbuild/cel";

/** A rule's syntax tree, and where its parts stand in the text. */
export type ParsedRule = ReturnType<typeof parse>;

/** A part of a rule (cel-spec, `syntax.proto`). */
export type Expression = NonNullable<ParsedRule["expr"]>;

/** The kinds of parts. */
export type ExpressionKind = Expression["exprKind"];

/** A call. */
export type Call = Extract<ExpressionKind, { case: "callExpr" }>["value"];

/** What a macro such as `exists` became. */
export type Comprehension = Extract<ExpressionKind, { case: "comprehensionExpr" }>["value"];

/** A field of something. */
export type Select = Extract<ExpressionKind, { case: "selectExpr" }>["value"];

/** The parts that a part is made of. */
export function children({ exprKind }: Expression): Expression[] {
  return parts(exprKind).filter((part) => part !== undefined);
}

function parts(kind: ExpressionKind): (Expression | undefined)[] {
  switch (kind.case) {
    case "selectExpr":
      return [kind.value.operand];
    case "callExpr":
      return [kind.value.target, ...kind.value.args];
    case "listExpr":
      return kind.value.elements;
    case "structExpr":
      return kind.value.entries.flatMap(({ keyKind, value }) => [
        keyKind.case === "mapKey" ? keyKind.value : undefined,
        value,
      ]);
    case "comprehensionExpr": {
      const { iterRange, accuInit, loopCondition, loopStep, result } = kind.value;
      return [iterRange, accuInit, loopCondition, loopStep, result];
    }
    default:
      return [];
  }
}

/** The part and all parts below it. */
export function* descendants(expression: Expression): Generator<Expression, void> {
  yield expression;
  for (const child of children(expression)) yield* descendants(child);
}

/** Whether parts stand in one another deeper than `levels`; looks no further than that. */
export function isDeeperThan(levels: number, expression: Expression): boolean {
  return levels === 0 || children(expression).some((child) => isDeeperThan(levels - 1, child));
}

/** The name of a plain name. */
export function nameOf(expression: Expression | undefined): string | undefined {
  return expression?.exprKind.case === "identExpr" ? expression.exprKind.value.name : undefined;
}

/** The text of a string that is written out. */
export function literalOf(expression: Expression | undefined): string | undefined {
  if (expression?.exprKind.case !== "constExpr") return undefined;
  const { constantKind } = expression.exprKind.value;
  return constantKind.case === "stringValue" ? constantKind.value : undefined;
}
