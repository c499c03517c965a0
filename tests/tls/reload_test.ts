import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { makeCertificate, makeClientCertificate } from "../support/certificate.ts";
import type { TlsOptions } from "../../server/http/listen.ts";
import { listen } from "../../server/http/listen.ts";
import { readToEnd, type Scene, send, tlsTest } from "./scene.ts";

async function makeOther(folder: string): Promise<{ tls: TlsOptions; caCert: string }> {
  const files = await makeCertificate(`${folder}/other`);
  const [certificate, privateKey, caCert] = [files.certificate, files.key, files.authority].map((path) =>
    Deno.readTextFileSync(path)
  );
  return { tls: { certificate: certificate!, privateKey: privateKey! }, caCert: caCert! };
}

async function shakesHands(scene: Scene, caCert: string): Promise<boolean> {
  const connection = await Deno.connectTls({ hostname: "127.0.0.1", port: scene.port, caCerts: [caCert] });
  const isGood = await connection.handshake().then(() => true, () => false);
  connection.close();
  return isGood;
}

tlsTest(
  "replaceTls() gives new handshakes the new certificate, and keeps the connections there are",
  {},
  async (scene) => {
    const old = Deno.readTextFileSync(scene.files.authority);
    const other = await makeOther(scene.folder);
    const kept = await scene.connect();
    scene.front.replaceTls(other.tls);
    assertEquals([await shakesHands(scene, old), await shakesHands(scene, other.caCert)], [false, true]);
    await send(kept, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert((await readToEnd(kept)).startsWith("HTTP/1.1 200 "));
    kept.close();
  },
);

tlsTest("replaceTls() changes whether, and by which CAs, clients' certificates are taken", {
  clients: "required",
}, async (scene) => {
  const client = await makeClientCertificate(scene.files, `${scene.folder}/client`);
  await assertRejects(scene.get("/"));
  scene.front.replaceTls({ ...scene.tls, clientCertificate: "optional" });
  assertEquals((await scene.get("/")).status, 200);
  const { caCert } = await makeOther(scene.folder);
  scene.front.replaceTls({ ...scene.tls, clientCa: caCert });
  await assertRejects(scene.get("/", client));
  scene.front.replaceTls({ ...scene.tls, clientCa: `${caCert}\n${scene.tls.clientCa}` });
  assertEquals((await scene.get("/", client)).status, 200);
});

tlsTest("replaceTls() refuses what cannot be used, and keeps what it had", {}, async (scene) => {
  const { certificate, privateKey } = scene.tls;
  const other = await makeOther(scene.folder);
  const broken = certificate.replace(/\n[A-Za-z0-9+/]{20}/, "\nAAAAAAAAAAAAAAAAAAAA");
  const bad: [TlsOptions, RegExp][] = [
    [{ certificate: "", privateKey }, /^Cannot use the certificate: there is none in PEM$/],
    [{ certificate: broken, privateKey }, /^Cannot use the certificate: /],
    [{ certificate, privateKey: "" }, /^Cannot use the private key: /],
    [
      { certificate, privateKey: other.tls.privateKey },
      /^Cannot use the private key: it is not the certificate's$/,
    ],
    [{ certificate, privateKey, clientCa: "none" }, /^Cannot use the client CAs: there is none in PEM$/],
    [{ certificate, privateKey, clientCa: `${other.caCert}${broken}` }, /^Cannot use the client CAs: /],
    [{ certificate, privateKey, clientCertificate: "required" }, /^Cannot require certificates of clients: /],
  ];
  for (const [tls, message] of bad) assertThrows(() => scene.front.replaceTls(tls), { message });
  assertEquals((await scene.get("/")).status, 200);
});

tlsTest("replaceTls() under load fails no request", {}, async (scene) => {
  const other = await makeOther(scene.folder);
  const caCerts = [Deno.readTextFileSync(scene.files.authority), other.caCert];
  let isOver = false;
  const load = Array.from({ length: 4 }, async (_, index) => {
    let answered = 0;
    for (let client = newClient(); !isOver; answered++) {
      const response = await fetch(scene.front.url, { client });
      assertEquals(response.status, 200);
      await response.body?.cancel();
      // Half of the clients keep their connections, the others begin anew each time.
      if (index % 2 === 0) continue;
      client.close();
      client = newClient();
    }
    return answered;
  });
  for (let swap = 0; swap < 20; swap++) {
    scene.front.replaceTls(swap % 2 === 0 ? other.tls : scene.tls);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  isOver = true;
  const answered = await Promise.all(load);
  assert(answered.every((count) => count > 5), `${answered}`);

  function newClient(): Deno.HttpClient {
    return Deno.createHttpClient({ caCerts });
  }
});

tlsTest(
  "listen() does not begin with certificates that cannot be used, nor where the port is taken",
  {},
  (scene) => {
    const options = { hostname: "127.0.0.1", port: scene.port };
    const handler = () => Promise.resolve(new Response());
    assertThrows(
      () => listen({ ...options, tls: { ...scene.tls, privateKey: "x" } }, handler),
      /private key/,
    );
    const message = `Cannot listen on 127.0.0.1:${scene.port}: the port is taken`;
    assertThrows(() => listen({ ...options, tls: scene.tls }, handler), { message });
    return Promise.resolve();
  },
);
