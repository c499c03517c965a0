import { assertEquals } from "../support/assert.ts";
import { withServerProcess } from "./server_process.ts";
import { readToEnd, send, tlsTest, until } from "./scene.ts";

const DESCRIPTORS = 100;

function countDescriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

async function get(port: number, caCerts: string[]): Promise<string | undefined> {
  const connection = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts });
  try {
    await send(connection, "GET /?bytes=3 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    return (await readToEnd(connection)).split("\r\n\r\n")[1];
  } finally {
    connection.close();
  }
}

tlsTest("TLS accepts again after it had no descriptors left", {}, async (scene) => {
  const caCerts = [Deno.readTextFileSync(scene.files.authority)];
  await withServerProcess(scene.tls, async ({ port, pid }) => {
    assertEquals(await get(port, caCerts), "\0\0\0");
    const before = countDescriptors(pid);
    const open = await Promise.all(
      Array.from({ length: DESCRIPTORS * 2 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    await until("no descriptor is left", () => countDescriptors(pid) >= DESCRIPTORS - 1);
    for (const connection of open) connection.close();
    await until("all descriptors are back", () => countDescriptors(pid) <= before);
    assertEquals(await get(port, caCerts), "\0\0\0");
  }, { descriptors: DESCRIPTORS });
});
