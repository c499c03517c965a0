import { example, type Frame } from "../frame.ts";

/** `sregctl status` and `sregctl hash` */
export function addStatus(frame: Frame): void {
  frame.program.command("status")
    .description("show how the server is")
    .addHelpText("after", example("sregctl status"))
    .action(async () => {
      const { showStatus } = await import("../commands/status.ts");
      frame.end(await showStatus(frame.globals()));
    });
}
