/** What the rules need to know of a file: where it is in the project, and what it counts as. */

import { fromFileUrl } from "../support/paths.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** A file's path from the project's root, with slashes. */
export function projectPath(file: string): string {
  return file.startsWith(ROOT) ? file.slice(ROOT.length) : file;
}

/** Whether the file is a test, or serves tests alone. */
export function isTest(path: string): boolean {
  return path.startsWith("tests/") || path.endsWith("_test.ts");
}

/** Whether the file is a contract's suite, which test files of plugins import. */
export function isSuite(path: string): boolean {
  return path.endsWith("_suite.ts");
}
