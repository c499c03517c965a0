import { assert, assertEquals } from "../support/assert.ts";
import { makeClientCertificate } from "../support/certificate.ts";
import { withServerProcess } from "./server_process.ts";
import { readClient, readToEnd, type Scene, send, tlsTest } from "./scene.ts";

const MIB = 1024 * 1024;
/** `SREG_TEST_TLS_MIB=1024` for the whole measurement. */
const SIZE_MIB = Number(Deno.env.get("SREG_TEST_TLS_MIB") ?? 256);
/** Less than what was sent, so that a server that holds all of it is found out whatever the size. */
const GROWTH_MIB_MAX = 140;

/** How much more memory than now the process will have had at its most. */
function watchMemory(pid: number): () => number {
  const before = readMib(pid, "VmRSS");
  return () => readMib(pid, "VmHWM") - before;
}

function readMib(pid: number, field: string): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`${field}:\\s*(\\d+) kB`).exec(status)?.[1]) / 1024;
}

async function connect(scene: Scene, port: number): Promise<Deno.TlsConn> {
  const caCerts = [Deno.readTextFileSync(scene.files.authority)];
  const withIdentity = scene.tls.clientCa !== undefined;
  const identity = withIdentity
    ? readClient(await makeClientCertificate(scene.files, `${scene.folder}/client`))
    : {};
  return await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts, ...identity });
}

for (const clients of ["none", "required"] as const) {
  const what = clients === "none" ? "TLS" : "TLS with client certificates";
  tlsTest(`${what} holds little of a push of ${SIZE_MIB} MiB to a slow store`, { clients }, async (scene) => {
    await withServerProcess(scene.tls, async ({ port, pid }) => {
      const growthMib = watchMemory(pid);
      const connection = await connect(scene, port);
      const head = `POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${
        SIZE_MIB * MIB
      }\r\n\r\n`;
      await send(connection, head);
      const piece = new Uint8Array(MIB);
      for (let sent = 0; sent < SIZE_MIB * MIB;) {
        sent += await connection.write(piece.subarray(0, Math.min(MIB, SIZE_MIB * MIB - sent)));
      }
      const answer = await readToEnd(connection);
      connection.close();
      assertEquals(answer.split("\r\n\r\n")[1], `${SIZE_MIB * MIB}`);
      assertGrowth(growthMib());
    });
  });
}

tlsTest(`TLS holds little of a pull of ${SIZE_MIB} MiB by a slow client`, {}, async (scene) => {
  await withServerProcess(scene.tls, async ({ port, pid }) => {
    const growthMib = watchMemory(pid);
    const connection = await connect(scene, port);
    await send(connection, `GET /?bytes=${SIZE_MIB * MIB} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    const buffer = new Uint8Array(MIB);
    let received = 0;
    for (let reads = 0;; reads++) {
      const count = await connection.read(buffer);
      if (count === null) break;
      received += count;
      if (reads % 64 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    connection.close();
    assert(received > SIZE_MIB * MIB);
    assertGrowth(growthMib());
  });
});

function assertGrowth(mib: number): void {
  if (Deno.env.has("SREG_TEST_TLS_MIB")) console.log(`grew by ${mib.toFixed(0)} MiB`);
  assert(mib < GROWTH_MIB_MAX, `it grew by ${mib.toFixed(0)} MiB`);
}
