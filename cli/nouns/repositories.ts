import { DRY_RUN_HELP, example, type Frame, YES_HELP } from "../frame.ts";

const load = () => import("../commands/repositories.ts");

/** `sregctl repo …` and `sregctl df` */
export function addRepositories(frame: Frame): void {
  const repo = frame.program.command("repo").description("repositories");

  repo.command("list")
    .description("list the repositories that you may see")
    .option("--filter <text>", "only those with this in their name")
    .addHelpText("after", example("sregctl repo list --filter team/"))
    .action(async (flags) =>
      frame.end(await (await load()).listRepositories({ ...flags, ...frame.globals() }))
    );

  repo.command("show")
    .description("show a repository: what is in it, its rules")
    .argument("<repository>")
    .addHelpText("after", example("sregctl repo show team/app"))
    .action(async (name) => frame.end(await (await load()).showRepository(name, frame.globals())));

  repo.command("delete")
    .description("delete a repository with all that is in it")
    .argument("<repository>")
    .option("--yes", YES_HELP)
    .option("--dry-run", DRY_RUN_HELP)
    .addHelpText(
      "after",
      example("sregctl repo delete team/old --dry-run", "sregctl repo delete team/old --yes"),
    )
    .action(async (name, flags) =>
      frame.end(await (await load()).deleteRepository(name, { ...flags, ...frame.globals() }))
    );

  frame.program.command("df")
    .description("show what takes the space, deduplicated and not")
    .addHelpText("after", example("sregctl df"))
    .action(async () => frame.end(await (await load()).showUsage(frame.globals())));
}
