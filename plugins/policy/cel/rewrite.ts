import { BOUNDED } from "./environment.ts";
import { type Comprehension, descendants, type Expression, type ExpressionKind, nameOf } from "./tree.ts";
import type { Vocabulary } from "./vocabulary.ts";

/**
 * Changes a rule's tree, in place, to what is run: where what is unknown is `null`, `has(request.tags)` asks whether it
 * is not, and what a macro goes through is counted first.
 */
export function rewriteRule(rule: Expression, { variables, unknownIsNull }: Vocabulary): void {
  for (const part of [...descendants(rule)]) {
    const { exprKind } = part;
    if (exprKind.case === "comprehensionExpr") boundRange(exprKind.value);
    if (!unknownIsNull || exprKind.case !== "selectExpr" || !exprKind.value.testOnly) continue;
    if (Object.hasOwn(variables, nameOf(exprKind.value.operand) ?? "")) {
      const field = expressionOf({ case: "selectExpr", value: { ...exprKind.value, testOnly: false } });
      part.exprKind = callOf("_!=_", [field, NULL]);
    }
  }
}

function boundRange(comprehension: Comprehension): void {
  const { iterRange, loopCondition, loopStep } = comprehension;
  const cost = [loopCondition!, loopStep!].reduce((sum, part) => sum + [...descendants(part)].length, 0);
  const costLiteral = constantOf({ case: "int64Value", value: BigInt(cost) });
  comprehension.iterRange = expressionOf(callOf(BOUNDED, [iterRange!, costLiteral]));
}

type Constant = Extract<ExpressionKind, { case: "constExpr" }>["value"]["constantKind"];

function constantOf(constantKind: Constant): Expression {
  return expressionOf({ case: "constExpr", value: { $typeName: "cel.expr.Constant", constantKind } });
}

function callOf(name: string, args: Expression[]): ExpressionKind {
  return { case: "callExpr", value: { $typeName: "cel.expr.Expr.Call", function: name, args } };
}

function expressionOf(exprKind: ExpressionKind): Expression {
  return { $typeName: "cel.expr.Expr", id: 0n, exprKind };
}

const NULL = constantOf({ case: "nullValue", value: 0 });
