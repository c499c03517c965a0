import { DRY_RUN_HELP, example, type Frame, YES_HELP } from "../frame.ts";

const load = () => import("../commands/uploads.ts");

/** `sregctl upload …` */
export function addUploads(frame: Frame): void {
  const upload = frame.program.command("upload").description("uploads under way");

  upload.command("list")
    .description("list uploads that have not ended")
    .option("--repository <name>", "those of this repository only")
    .addHelpText("after", example("sregctl upload list --repository team/app"))
    .action(async (flags) => frame.end(await (await load()).listUploads({ ...flags, ...frame.globals() })));

  upload.command("cancel")
    .description("end an upload, and forget what has come of it")
    .argument("<repository>")
    .argument("<id>")
    .option("--yes", YES_HELP)
    .option("--dry-run", DRY_RUN_HELP)
    .addHelpText("after", example("sregctl upload cancel team/app 6f1c0de2 --yes"))
    .action(async (repository, id, flags) =>
      frame.end(await (await load()).cancelUpload({ repository, id }, { ...flags, ...frame.globals() }))
    );
}
