/**
 * The registry to compare with: CNCF distribution, as Debian packages it.
 *
 * @module
 */

import { Connection, prepare, type Target } from "./client.ts";
import type { Started } from "./contest.ts";

/** The peer's program. */
export const PEER_PROGRAM = "docker-registry";

/** Starts the peer on a free port of loopback, with its data in `folder` and the settings that Debian gives it. */
export async function startPeer(folder: string): Promise<Started> {
  const port = freePort();
  await Deno.writeTextFile(`${folder}/config.yml`, peerConfig(port, `${folder}/data`));
  const child = new Deno.Command(PEER_PROGRAM, {
    args: ["serve", `${folder}/config.yml`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const target = { url: `http://127.0.0.1:${port}`, pid: child.pid };
  const stop = async () => {
    child.kill("SIGKILL");
    await child.status;
  };
  try {
    await answers(target);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...target, [Symbol.asyncDispose]: stop };
}

function peerConfig(port: number, data: string): string {
  return `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage:
  cache: { blobdescriptor: inmemory }
  filesystem: { rootdirectory: ${data} }
  delete: { enabled: true }
http: { addr: "127.0.0.1:${port}", headers: { X-Content-Type-Options: [nosniff] } }
`;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function answers(target: Target): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      using connection = await Connection.open(target);
      await connection.exchange(prepare(target, "GET /v2/", { status: 200 }));
      return;
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`Cannot start ${PEER_PROGRAM}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
