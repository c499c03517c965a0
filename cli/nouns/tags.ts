import { DRY_RUN_HELP, example, type Frame, YES_HELP } from "../frame.ts";

const load = () => import("../commands/tags.ts");

/** `sregctl tag …` */
export function addTags(frame: Frame): void {
  const tag = frame.program.command("tag").description("tags of a repository");

  tag.command("list")
    .description("list the tags of a repository")
    .argument("<repository>")
    .addHelpText("after", example("sregctl tag list team/app"))
    .action(async (repository) => frame.end(await (await load()).listTags(repository, frame.globals())));

  tag.command("show")
    .description("show a tag: what it points to, since when")
    .argument("<repository>")
    .argument("<tag>")
    .addHelpText("after", example("sregctl tag show team/app v1"))
    .action(async (repository, tag) =>
      frame.end(await (await load()).showTag({ repository, tag }, frame.globals()))
    );

  tag.command("history")
    .description("show what a tag has pointed to, newest first")
    .argument("<repository>")
    .argument("<tag>")
    .addHelpText("after", example("sregctl tag history team/app latest"))
    .action(async (repository, tag) =>
      frame.end(await (await load()).showHistory({ repository, tag }, frame.globals()))
    );

  tag.command("delete")
    .description("delete a tag; what it points to stays")
    .argument("<repository>")
    .argument("<tag...>")
    .option("--yes", YES_HELP)
    .option("--dry-run", DRY_RUN_HELP)
    .addHelpText("after", example("sregctl tag delete team/app v1 v2 --yes"))
    .action(async (repository, tags, flags) =>
      frame.end(await (await load()).deleteTags({ repository, tags }, { ...flags, ...frame.globals() }))
    );
}
