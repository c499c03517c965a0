import { assertEquals } from "../../tests/support/assert.ts";
import { InnerServers } from "./inner_server.ts";

async function ask(connection: Deno.Conn<Deno.Addr>): Promise<string> {
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
  const buffer = new Uint8Array(4096);
  const count = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0)).slice(0, "HTTP/1.1 200".length);
}

for (const transport of ["unix", "tcp"] as const) {
  Deno.test(`InnerServers over ${transport} answer each connection by its own handler`, async () => {
    const servers = new InnerServers(transport);
    const answered: number[] = [];
    const inners = await Promise.all([0, 1, 2].map((index) =>
      servers.open(() => {
        answered.push(index);
        return Promise.resolve(new Response());
      })
    ));
    for (const { connection } of inners) assertEquals(await ask(connection), "HTTP/1.1 200");
    assertEquals(answered, [0, 1, 2]);
    for (const { connection, shutdown } of inners) {
      connection.close();
      shutdown();
    }
    servers.close();
  });
}

Deno.test("InnerServers over tcp refuse a connection that is not theirs", async () => {
  const servers = new InnerServers("tcp");
  const { connection, shutdown } = await servers.open(() =>
    Promise.reject(new Error("the handler was asked"))
  );
  const { hostname, port } = connection.remoteAddr as Deno.NetAddr;
  const stranger = await Deno.connect({ hostname, port });
  assertEquals(await ask(stranger), "HTTP/1.1 403");
  stranger.close();
  connection.close();
  shutdown();
  servers.close();
});

Deno.test("InnerServers over unix leave no socket to connect to", async () => {
  const servers = new InnerServers("unix");
  const { connection, shutdown } = await servers.open(() => Promise.resolve(new Response()));
  const { path } = connection.remoteAddr as Deno.UnixAddr;
  assertEquals(tryStat(path), false);
  connection.close();
  shutdown();
  servers.close();
  assertEquals(tryStat(path.replace(/\/[^/]*$/, "")), false);
});

function tryStat(path: string): boolean {
  try {
    return Deno.statSync(path) !== undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
