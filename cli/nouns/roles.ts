import { collect, DRY_RUN_HELP, example, type Frame, YES_HELP } from "../frame.ts";

const load = () => import("../commands/roles.ts");

/** `sregctl role …` */
export function addRoles(frame: Frame): void {
  const role = frame.program.command("role").description("what may be done, under a name");

  role.command("list")
    .description("list roles, built in, of the file and of the store")
    .addHelpText("after", example("sregctl role list"))
    .action(async () => frame.end(await (await load()).listRoles(frame.globals())));

  role.command("create").alias("set")
    .description("make a role, or change what it may")
    .argument("<name>")
    .requiredOption("--verb <verb>", "an action, pattern or word such as pull; may be repeated", collect)
    .option("--repository <pattern>", "where it may (default: **); may be repeated", collect)
    .addHelpText(
      "after",
      example("sregctl role create releaser --verb pull --verb push \\\n      --repository 'team/**'"),
    )
    .action(async (name, flags) =>
      frame.end(await (await load()).putRole(name, { ...flags, ...frame.globals() }))
    );

  role.command("delete")
    .description("delete a role of the store; what it gave is gone at once")
    .argument("<name>")
    .option("--force", "even where a binding gives it to somebody")
    .option("--yes", YES_HELP)
    .option("--dry-run", DRY_RUN_HELP)
    .addHelpText("after", example("sregctl role delete releaser"))
    .action(async (name, flags) =>
      frame.end(await (await load()).deleteRole(name, { ...flags, ...frame.globals() }))
    );
}
