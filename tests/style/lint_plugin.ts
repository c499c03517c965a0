/** The project's own lint rules: those parts of its style that a program can see. */

import { layersRule } from "./layers.ts";
import { fileLengthRule, functionLengthRule, nestingRule } from "./lengths.ts";
import { consoleRule, fileNameRule, wordsRule } from "./names.ts";
import { errorCodesRule, keysRule, purityRule } from "./ownership.ts";

/** What `deno lint` loads. */
const plugin: Deno.lint.Plugin = {
  name: "sreg",
  rules: {
    "layers": layersRule,
    "file-length": fileLengthRule,
    "function-length": functionLengthRule,
    "nesting": nestingRule,
    "file-name": fileNameRule,
    "words": wordsRule,
    "console": consoleRule,
    "keys": keysRule,
    "error-codes": errorCodesRule,
    "purity": purityRule,
  },
};

export default plugin;
