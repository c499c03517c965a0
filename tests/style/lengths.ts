/** How long files and functions may be, and how deep blocks may nest. */

import { isSuite, isTest, projectPath } from "./files.ts";

/** The limits, in lines and levels. */
export const LIMITS = { source: 400, test: 800, function: 60, nesting: 3 } as const;

/** A function's node. */
export type FunctionNode =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

/** Files keep to their length. */
export const fileLengthRule: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    const limit = isTest(path) || isSuite(path) ? LIMITS.test : LIMITS.source;
    return {
      "Program:exit"() {
        const lines = countLines(context.sourceCode.text.trimEnd());
        if (lines <= limit) return;
        context.report({
          range: [0, 1],
          message: `the file has ${lines} lines, at most ${limit} are allowed`,
        });
      },
    };
  },
};

/** Functions keep to their length. */
export const functionLengthRule: Deno.lint.Rule = {
  create(context) {
    return visitFunctions((node) => {
      const lines = functionLines(node, context.sourceCode.text);
      if (lines <= LIMITS.function) return;
      context.report({
        node,
        message: `the function has ${lines} lines, at most ${LIMITS.function} are allowed`,
      });
    });
  },
};

/** Blocks keep to their depth; each function begins anew. */
export const nestingRule: Deno.lint.Rule = {
  create(context) {
    const check = (node: Deno.lint.Node) => {
      const depth = nestingOf(node, context.sourceCode.getAncestors(node));
      if (depth !== LIMITS.nesting + 1) return;
      context.report({ node, message: `blocks nest ${depth} deep, at most ${LIMITS.nesting} are allowed` });
    };
    return Object.fromEntries(BLOCKS.map((type) => [type, check]));
  },
};

const BLOCKS = [
  "IfStatement",
  "ForStatement",
  "ForInStatement",
  "ForOfStatement",
  "WhileStatement",
  "DoWhileStatement",
  "SwitchStatement",
  "TryStatement",
] as const;

/** A visitor that calls `visit` with every function. */
export function visitFunctions(visit: (node: FunctionNode) => void): Deno.lint.LintVisitor {
  return { FunctionDeclaration: visit, FunctionExpression: visit, ArrowFunctionExpression: visit };
}

/** The lines that a function spans. */
export function functionLines(node: FunctionNode, text: string): number {
  return countLines(text.slice(...node.range));
}

function countLines(text: string): number {
  return text.split("\n").length;
}

/** How many blocks of its function a block is in, itself counted. An `else if` is as deep as its `if`. */
function nestingOf(node: Deno.lint.Node, ancestors: readonly Deno.lint.Node[]): number {
  const chain = [...ancestors, node];
  const start = chain.findLastIndex(({ type }) => /Function/.test(type)) + 1;
  return chain.slice(start).filter((block, index, inside) => {
    const parent = inside[index - 1];
    const isElseIf = parent?.type === "IfStatement" && parent.alternate === block;
    return BLOCKS.some((type) => type === block.type) && !isElseIf;
  }).length;
}
