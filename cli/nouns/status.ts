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

  frame.program.command("hash")
    .description("hash a password for a configuration; needs no server")
    .addHelpText("after", example("sregctl hash", "sregctl hash < password"))
    .action(async () => {
      const { hashPassword } = await import("../commands/hash.ts");
      frame.end(await hashPassword(frame.globals()));
    });
}
