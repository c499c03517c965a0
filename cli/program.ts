/** The whole of the commands, each noun's from its own file. */

import { Command } from "@commander-js/extra-typings";
import { addGlobals, type Frame, type GlobalFlags } from "./frame.ts";
import { addAudit } from "./nouns/audit.ts";
import { addBindings } from "./nouns/bindings.ts";
import { addCompletion } from "./nouns/completion.ts";
import { addConfiguration } from "./nouns/configuration.ts";
import { addContexts } from "./nouns/contexts.ts";
import { addIdentities } from "./nouns/identities.ts";
import { addJobs } from "./nouns/jobs.ts";
import { addManifests } from "./nouns/manifests.ts";
import { addPlugins } from "./nouns/plugins.ts";
import { addPolicies } from "./nouns/policies.ts";
import { addRepositories } from "./nouns/repositories.ts";
import { addRoles } from "./nouns/roles.ts";
import { addStatus } from "./nouns/status.ts";
import { addTags } from "./nouns/tags.ts";
import { addUploads } from "./nouns/uploads.ts";
import { harmlessLines, stayPlain, writeError } from "./output.ts";

/** The order of the help. */
const NOUNS: readonly ((frame: Frame) => void)[] = [
  addContexts,
  addStatus,
  addIdentities,
  addRoles,
  addBindings,
  addRepositories,
  addTags,
  addManifests,
  addUploads,
  addJobs,
  addPlugins,
  addConfiguration,
  addPolicies,
  addAudit,
  addCompletion,
];

/** The commands, and how what they did ended. */
export interface Program {
  readonly program: Command;
  /** Of what has run. */
  exitCode(): number;
}

/** All commands, ready to parse arguments. */
export function createProgram(): Program {
  let code = 0;
  const program = new Command("sregctl")
    .description("Looks after an sreg registry")
    .exitOverride()
    .configureOutput({
      outputError: (text) => writeError(harmlessLines(text.replace(/^error: /, "").trimEnd())),
    });
  addGlobals(program);
  program.on("option:no-color", stayPlain);
  const frame: Frame = {
    program,
    globals: () => program.opts() as GlobalFlags,
    end: (ended) => code = ended,
  };
  for (const add of NOUNS) add(frame);
  return { program, exitCode: () => code };
}
