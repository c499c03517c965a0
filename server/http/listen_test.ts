import { assertEquals, assertThrows } from "../../tests/support/assert.ts";
import { listen } from "./listen.ts";

Deno.test("listen() without certificates speaks plain HTTP, and says whose request it is", async () => {
  const listener = listen(
    { hostname: "127.0.0.1", port: 0 },
    (request, connection) =>
      Promise.resolve(Response.json({ path: new URL(request.url).pathname, ...connection })),
  );
  const response = await fetch(`${listener.url}/a`, { headers: { "x-forwarded-for": "1.2.3.4" } });
  assertEquals(await response.json(), { path: "/a", clientAddress: "127.0.0.1", certificate: null });
  assertThrows(() => listener.replaceTls({ certificate: "", privateKey: "" }), {
    message: "Cannot replace the certificates of 127.0.0.1:0: it speaks plain HTTP",
  });
  await listener.close(0);
});

Deno.test("listen() without certificates fails where the port is taken", async () => {
  const handler = () => Promise.resolve(new Response());
  const listener = listen({ hostname: "127.0.0.1", port: 0 }, handler);
  const port = Number(new URL(listener.url).port);
  const message = `Cannot listen on 127.0.0.1:${port}: the port is taken`;
  assertThrows(() => listen({ hostname: "127.0.0.1", port }, handler), { message });
  await listener.close(0);
});
