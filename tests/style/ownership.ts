/** What has one place: storage keys, error codes, and the world outside the registry's meaning. */

import { OCI_ERROR_STATUS } from "../../server/oci/error.ts";
import { isTest, projectPath } from "./files.ts";

/** The first segments of storage keys, by the file whose head draws them. */
export const KEY_PREFIXES: Readonly<Record<string, readonly string[]>> = {
  "server/registry/keys.ts": [
    "blobs/",
    "links/",
    "catalog/",
    "repositories/",
    "uploads/",
    "deletions/",
    "removals/",
    "due/",
    "due_bytes/",
    "aside/",
    "pulls/",
    "secrets/",
    "quarantine/",
  ],
  "server/access/keys.ts": ["access/"],
  "server/jobs/keys.ts": ["jobs/"],
  "server/observe/keys.ts": ["audit/"],
};

const ERROR_CODES = "server/oci/error.ts";

/** Where requests, answers and the runtime are unknown. */
const PURE = ["server/oci/", "server/registry/"];
const WORLD = ["Deno", "Request", "Response", "fetch"];

/** Storage keys are built in the files that draw them. */
export const keysRule: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (!path.startsWith("server/") || isTest(path)) return {};
    const check = (node: Deno.lint.Node, text: unknown) => {
      if (typeof text !== "string") return;
      const owner = Object.keys(KEY_PREFIXES).find((file) =>
        KEY_PREFIXES[file]!.some((prefix) => text.startsWith(prefix))
      );
      if (owner !== undefined && owner !== path) {
        context.report({ node, message: `storage keys are built in ${owner}` });
      }
    };
    return {
      Literal: (node) => check(node, node.value),
      TemplateLiteral: (node) => check(node, node.quasis[0]?.cooked),
    };
  },
};

/** Error codes stand in their table; elsewhere they are handed to what is typed with them, as arguments. */
export const errorCodesRule: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (!path.startsWith("server/") || path === ERROR_CODES || isTest(path)) return {};
    return {
      Literal(node) {
        if (typeof node.value !== "string" || !Object.hasOwn(OCI_ERROR_STATUS, node.value)) return;
        if (isArgument(node, context.sourceCode.getAncestors(node))) return;
        context.report({ node, message: `error codes stand in ${ERROR_CODES}; throw an OciError` });
      },
    };
  },
};

/** An argument of a call, also one that a condition chooses. */
function isArgument(node: Deno.lint.Node, ancestors: readonly Deno.lint.Node[]): boolean {
  const parent = ancestors.at(-1);
  if (parent?.type === "ConditionalExpression" && parent.test !== node) {
    return isArgument(parent, ancestors.slice(0, -1));
  }
  if (parent?.type !== "CallExpression" && parent?.type !== "NewExpression") return false;
  return parent.arguments.some((argument) => argument === node);
}

/** The spec's words and their meaning know no HTTP and no runtime. */
export const purityRule: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (!PURE.some((folder) => path.startsWith(folder)) || isTest(path)) return {};
    return {
      Identifier(node) {
        if (!WORLD.includes(node.name) || isName(node, context.sourceCode.getAncestors(node).at(-1))) return;
        context.report({ node, message: `${node.name} is unknown here: take and answer plain values` });
      },
    };
  },
};

/** A property of something else, or a key. */
function isName(node: Deno.lint.Node, parent: Deno.lint.Node | undefined): boolean {
  if (parent?.type === "MemberExpression") return parent.property === node && !parent.computed;
  return parent?.type === "Property" && parent.key === node;
}
