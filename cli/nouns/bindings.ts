import { collect, DRY_RUN_HELP, example, type Frame, YES_HELP } from "../frame.ts";

const load = () => import("../commands/bindings.ts");

/** `sregctl binding …` */
export function addBindings(frame: Frame): void {
  const binding = frame.program.command("binding").description("who has which role");

  binding.command("list")
    .description("list bindings, of the file and of the store")
    .addHelpText("after", example("sregctl binding list"))
    .action(async () => frame.end(await (await load()).listBindings(frame.globals())));

  binding.command("create")
    .description("give users and groups a role")
    .argument("<role>")
    .option("--user <name>", "a user name; may be repeated", collect)
    .option("--group <name>", "a group; may be repeated", collect)
    .addHelpText("after", example("sregctl binding create releaser --group developers"))
    .action(async (role, flags) =>
      frame.end(await (await load()).createBinding(role, { ...flags, ...frame.globals() }))
    );

  binding.command("delete")
    .description("take a role back; binding list shows the ids")
    .argument("<id>")
    .option("--yes", YES_HELP)
    .option("--dry-run", DRY_RUN_HELP)
    .addHelpText("after", example("sregctl binding delete 3f9a12"))
    .action(async (id, flags) =>
      frame.end(await (await load()).deleteBinding(id, { ...flags, ...frame.globals() }))
    );
}
