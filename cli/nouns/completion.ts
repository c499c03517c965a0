import { example, type Frame } from "../frame.ts";

/** `sregctl completion SHELL`, and what the shells then ask. */
export function addCompletion(frame: Frame): void {
  frame.program.command("completion")
    .description("print what makes a shell complete commands: bash, zsh or fish")
    .argument("<shell>")
    .addHelpText(
      "after",
      example(
        "source <(sregctl completion bash)",
        "sregctl completion zsh > ~/.zfunc/_sregctl",
        "sregctl completion fish > ~/.config/fish/completions/sregctl.fish",
      ),
    )
    .action(async (shell) => {
      const { printCompletion } = await import("../completion.ts");
      frame.end(await printCompletion(shell, { program: frame.program, ...frame.globals() }));
    });

  frame.program.command("complete", { hidden: true })
    .argument("[words...]")
    .allowUnknownOption()
    .action(async () => {
      const { answerCompletion } = await import("../completion.ts");
      await answerCompletion(frame.program, Deno.args);
    });
}
