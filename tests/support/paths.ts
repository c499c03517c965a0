/** `@std/path` cannot be had without JSR; these are the few functions of it that the tests use. */
export { fileURLToPath as fromFileUrl } from "node:url";
export { basename, dirname, join, relative, resolve } from "node:path";
