import { assertEquals, assertThrows } from "../../../tests/support/assert.ts";
import { redirectRule, type RedirectSettings } from "./redirects.ts";

const OPEN = ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "::ffff:8.8.8.8", "::ffff:808:808"];
const INTERNAL = [
  "10.255.255.255",
  "100.64.0.1",
  "127.0.0.1",
  "169.254.1.1",
  "172.31.255.255",
  "192.168.0.1",
  "::1",
  "::ffff:10.1.2.3",
  "::FFFF:7f00:1",
  "fc00::1",
  "fdff:ffff::1",
  "fe80::1",
  "fe80::1%eth0",
  "febf::1",
];
const UNKNOWN = [undefined, "", "localhost", "10.0.0", "unix"];

/** Those of the clients that are sent to the store. */
function sent(settings: RedirectSettings, clients: readonly (string | undefined)[]): unknown[] {
  const rule = redirectRule(settings);
  return clients.filter((client) => rule(client));
}

Deno.test("redirect = true sends every client to the store", () => {
  const clients = [...OPEN, ...INTERNAL, ...UNKNOWN];
  assertEquals(sent({ redirect: true, networks: [] }, clients), clients);
});

Deno.test("redirect = false sends no client to the store but those of the networks", () => {
  const clients = [...OPEN, ...INTERNAL, ...UNKNOWN];
  assertEquals(sent({ redirect: false, networks: [] }, clients), []);
  const networks = ["10.0.0.0/8", "8.8.8.8", "2001:db8::/32", "fe80::1"];
  assertEquals(sent({ redirect: false, networks }, clients), [
    "8.8.8.8",
    "2001:db8::1",
    "::ffff:8.8.8.8",
    "::ffff:808:808",
    "10.255.255.255",
    "::ffff:10.1.2.3",
    "fe80::1",
    "fe80::1%eth0",
  ]);
});

Deno.test('redirect = "external" sends clients of the open internet to the store, and those of the networks', () => {
  assertEquals(sent({ redirect: "external", networks: [] }, OPEN), OPEN);
  assertEquals(sent({ redirect: "external", networks: [] }, [...INTERNAL, ...UNKNOWN]), []);
  const networks = ["192.168.0.0/24", "fd00::/8"];
  assertEquals(sent({ redirect: "external", networks }, INTERNAL), ["192.168.0.1", "fdff:ffff::1"]);
});

Deno.test("redirect_networks refuses what is no network", () => {
  const refused = [
    "",
    "10.0.0.0/33",
    "10.0.0/8",
    "::/129",
    "fe80::1/",
    "/8",
    "10.0.0.0/8 ",
    "10.0.0.0/-1",
    "all",
  ];
  for (const network of refused) {
    assertThrows(() => redirectRule({ redirect: false, networks: ["10.0.0.0/8", network] }), {
      code: "failed",
      message:
        `Cannot use redirect_networks: expected an IP address or a range such as "10.0.0.0/8", found "${network}"`,
    });
  }
});
