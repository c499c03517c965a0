import { example, type Frame } from "../frame.ts";

/** `sregctl manifest …` */
export function addManifests(frame: Frame): void {
  const manifest = frame.program.command("manifest").description("what images are made of");

  manifest.command("show")
    .description("draw what a manifest refers to, and what refers to it")
    .argument("<repository>")
    .argument("<reference>", "a tag or a digest")
    .addHelpText("after", example("sregctl manifest show team/app v1"))
    .action(async (repository, reference) => {
      const { showManifest } = await import("../commands/manifests.ts");
      frame.end(await showManifest({ repository, reference }, frame.globals()));
    });
}
