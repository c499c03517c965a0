import type { TlsOptions } from "../../server/http/listen.ts";
import { fromFileUrl } from "../support/paths.ts";

/** `slow_server.ts`, running. */
export interface ServerProcess {
  readonly port: number;
  readonly pid: number;
}

/** Runs `test` while the server runs, with no more than `descriptors` open files. */
export async function withServerProcess(
  tls: TlsOptions,
  test: (server: ServerProcess) => Promise<void>,
  options: { readonly descriptors?: number } = {},
): Promise<void> {
  const program = fromFileUrl(new URL("slow_server.ts", import.meta.url));
  const limit = options.descriptors === undefined ? "" : `ulimit -n ${options.descriptors} && `;
  const process = new Deno.Command("sh", {
    args: ["-c", `${limit}exec "$@"`, "sh", Deno.execPath(), "run", "--no-prompt", "--allow-all", program],
    env: { SREG_TLS: JSON.stringify(tls), DENO_NO_UPDATE_CHECK: "1" },
    stdout: "piped",
  }).spawn();
  const lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const { value = "" } = await lines.read();
    await test({ port: Number(new URL(value.trim()).port), pid: process.pid });
  } finally {
    await lines.cancel();
    process.kill("SIGTERM");
    await process.status;
  }
}
