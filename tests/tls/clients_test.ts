import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { CLIENT_FLAWS, makeClientCertificate } from "../support/certificate.ts";
import { runCommand, tryCommand } from "../support/command.ts";
import type { Handler } from "../../server/http/listen.ts";
import { type Scene, type SceneOptions, tlsTest, until, whoami } from "./scene.ts";

function countingScene(clients: "optional" | "required"): { options: SceneOptions; served: () => number } {
  let served = 0;
  const handler: Handler = (request, connection) => {
    served++;
    return whoami(request, connection);
  };
  return { options: { clients, handler }, served: () => served };
}

async function assertRefused(scene: Scene, flaw: typeof CLIENT_FLAWS[number]): Promise<void> {
  const client = await makeClientCertificate(scene.files, `${scene.folder}/bad`, { flaw });
  await assertRejects(scene.get("/", client), `a certificate ${flaw} was answered`);
  const versions = ["--tls-max", "1.2"];
  const args = ["-sS", "--cacert", scene.files.authority, "--cert", client.certificate, "--key", client.key];
  const tls12 = await tryCommand("curl", [...args, ...versions, scene.front.url]);
  assertEquals({ success: tls12.success, stdout: tls12.stdout }, { success: false, stdout: "" });
}

for (const clients of ["optional", "required"] as const) {
  for (const flaw of CLIENT_FLAWS) {
    const { options, served } = countingScene(clients);
    tlsTest(`TLS, client certificates ${clients}, refuses one ${flaw}`, options, async (scene) => {
      await assertRefused(scene, flaw);
      assertEquals(served(), 0);
      const good = await makeClientCertificate(scene.files, `${scene.folder}/good`);
      assertEquals((await scene.get("/", good)).status, 200);
    });
  }
}

tlsTest(
  "TLS, client certificates required, refuses a client without one",
  { clients: "required" },
  async (scene) => {
    await assertRejects(scene.get("/"));
    const good = await makeClientCertificate(scene.files, `${scene.folder}/good`);
    assertEquals((await scene.get("/", good)).status, 200);
  },
);

tlsTest(
  "TLS, client certificates optional, knows a client without one as none",
  { clients: "optional" },
  async (scene) => {
    const { body } = await scene.get("/");
    assertEquals(JSON.parse(body), { clientAddress: "127.0.0.1", certificate: null });
  },
);

tlsTest("TLS without client CAs asks for no certificate, and sees none", {}, async (scene) => {
  const client = await makeClientCertificate(scene.files, `${scene.folder}/client`);
  const { body } = await scene.get("/", client);
  assertEquals(JSON.parse(body), { clientAddress: "127.0.0.1", certificate: null });
});

tlsTest(
  "TLS tells the handler what a certificate says, whatever is in its names",
  { clients: "optional" },
  async (scene) => {
    const client = await makeClientCertificate(scene.files, `${scene.folder}/client`, {
      subject: "/O=one/O=two\\/three/CN=first/CN=x\nCN=y\\, O\\=z \\+ O=é",
      alternativeNames:
        "URI:spiffe://example.org/ci,URI:urn:a,DNS:a.example,DNS:b.example,email:a@example.org,IP:1.2.3.4",
    });
    const { body } = await scene.get("/", client);
    assertEquals(JSON.parse(body), {
      clientAddress: "127.0.0.1",
      certificate: {
        commonNames: ["first", "x\nCN=y, O=z + O=é"],
        organizations: ["one", "two/three"],
        dnsNames: ["a.example", "b.example"],
        uris: ["spiffe://example.org/ci", "urn:a"],
        emails: ["a@example.org"],
        fingerprint: await fingerprintOf(client.certificate),
      },
    });
  },
);

async function fingerprintOf(path: string): Promise<string> {
  const text = await runCommand("openssl", ["x509", "-noout", "-fingerprint", "-sha256", "-in", path]);
  return text.trim().replace(/.*=/, "").replaceAll(":", "").toLowerCase();
}

tlsTest(
  "TLS keeps certificates to their own connections, however many there are",
  { clients: "optional" },
  async (scene) => {
    const names = ["a", "b", "c", "d"];
    const clients = await Promise.all(
      names.map((name) =>
        makeClientCertificate(scene.files, `${scene.folder}/${name}`, { subject: `/CN=${name}` })
      ),
    );
    const askers = [...clients.map((client, index) => ({ client, expected: [names[index]] })), {
      client: undefined,
      expected: undefined,
    }];
    const rounds = Array.from({ length: 20 }, () => askers).flat();
    const answers = await Promise.all(rounds.map(({ client }) => scene.get("/", client)));
    assertEquals(
      answers.map(({ body }) => JSON.parse(body).certificate?.commonNames),
      rounds.map(({ expected }) => expected),
    );
    await until("no connection is left", () => scene.front.connections === 0);
  },
);

for (
  const [version, isSpoken] of [["tls1", false], ["tls1_1", false], ["tls1_2", true], [
    "tls1_3",
    true,
  ]] as const
) {
  tlsTest(`TLS ${isSpoken ? "speaks" : "does not speak"} ${version}`, {}, async (scene) => {
    const ciphers = isSpoken ? [] : ["-cipher", "ALL@SECLEVEL=0"];
    const args = [
      "s_client",
      "-connect",
      `127.0.0.1:${scene.port}`,
      "-CAfile",
      scene.files.authority,
      `-${version}`,
    ];
    const { success, stdout, stderr } = await tryCommand("openssl", [
      ...args,
      "-alpn",
      "h2,http/1.1",
      ...ciphers,
    ]);
    assertEquals(success, isSpoken, stderr);
    assertEquals(stdout.includes("ALPN protocol: http/1.1"), isSpoken);
    assert(isSpoken || /unexpected eof|alert protocol version/.test(stderr), stderr);
  });
}
