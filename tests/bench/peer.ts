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
export function startPeer(folder: string): Promise<Started> {
  return startPeerOver(`  filesystem: { rootdirectory: ${folder}/data }\n`, folder);
}

/** Starts the peer over another store: lines of YAML below `storage`. What it is told is in `folder`. */
export async function startPeerOver(driver: string, folder: string): Promise<Started> {
  const port = freePort();
  await Deno.writeTextFile(`${folder}/config.yml`, peerConfig(port, driver));
  const child = new Deno.Command(PEER_PROGRAM, {
    args: ["serve", `${folder}/config.yml`],
    // Variables such as AWS_CA_BUNDLE would have a say in how it speaks to its store.
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const target = { url: `http://127.0.0.1:${port}`, pid: child.pid };
  const stop = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
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

function peerConfig(port: number, driver: string): string {
  return `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage:
  cache: { blobdescriptor: inmemory }
${driver}  delete: { enabled: true }
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
