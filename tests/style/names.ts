/** What files are called, and the few words of the language that this project does without. */

import { basename, dirname } from "../support/paths.ts";
import { isTest, projectPath } from "./files.ts";

const FORBIDDEN = [
  "base",
  "common",
  "helper",
  "helpers",
  "index",
  "manager",
  "service",
  "types",
  "util",
  "utils",
];
const SNAKE_CASE = /^[a-z0-9]+(?:_[a-z0-9]+)*$/;

/** Files that must have a default export, because what loads them asks for it. */
const DEFAULT_EXPORTS = ["tests/style/lint_plugin.ts"];

/** Where writing to the console is the task. Tests may. */
const CONSOLE = ["cli/output.ts", "server/observe/log.ts"];

/** The console of a plugin is its way to the server's log. */
const PLUGIN = /^plugins\/(?!contract\/)/;

/** Why a file may not be called so, or `undefined`. */
export function refusePath(path: string): string | undefined {
  const name = basename(path).replace(/(?:_test|_suite)?\.[cm]?[jt]sx?$/, "");
  const words = [...dirname(path).split("/").filter((folder) => folder !== "."), name];
  const forbidden = words.find((word) => FORBIDDEN.includes(word));
  if (forbidden) return `"${forbidden}" says nothing, name the file or folder after what is in it`;
  const odd = words.find((word) => !SNAKE_CASE.test(word));
  return odd === undefined ? undefined : `"${odd}" is not snake_case`;
}

/** Files are named after what is in them. */
export const fileNameRule: Deno.lint.Rule = {
  create(context) {
    const message = refusePath(projectPath(context.filename));
    return { Program: () => message && context.report({ range: [0, 1], message }) };
  },
};

/** No default exports and no enums. */
export const wordsRule: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    return {
      ExportDefaultDeclaration(node) {
        if (!DEFAULT_EXPORTS.includes(path)) context.report({ node, message: "export it by its name" });
      },
      TSEnumDeclaration: (node) => context.report({ node, message: "use a union of literals" }),
    };
  },
};

/** Only the log, the CLI's output and plugins write to the console. */
export const consoleRule: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (isTest(path) || CONSOLE.includes(path) || PLUGIN.test(path)) return {};
    return {
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || node.object.name !== "console") return;
        context.report({ node, message: "write to the log, or return what is to be written" });
      },
    };
  },
};
