import { assertEquals } from "../../tests/support/assert.ts";
import { accessRequestReader } from "./request.ts";

interface Sent {
  readonly from: string;
  readonly headers?: Record<string, string>;
  readonly trusted?: readonly string[];
}

function read({ from, headers = {}, trusted = ["10.0.0.0/8", "2001:db8::1"] }: Sent) {
  const reader = accessRequestReader({ secure: false, trustedProxies: trusted });
  const request = new Request("http://registry.example/v2/", { headers });
  const { clientAddress, origin } = reader(request, new URL(request.url), {
    clientAddress: from,
    certificate: null,
  });
  return [clientAddress, origin];
}

const FORWARDED = { "X-Forwarded-For": "192.0.2.9, 198.51.100.7, 10.1.2.3", "X-Forwarded-Proto": "https" };

Deno.test("A request's client is", async (t) => {
  const cases: [name: string, sent: Sent, address: string, origin: string][] = [
    ["who opened the connection", { from: "192.0.2.1" }, "192.0.2.1", "http://registry.example"],
    [
      "whoever opened it, whatever headers say",
      { from: "192.0.2.1", headers: FORWARDED },
      "192.0.2.1",
      "http://registry.example",
    ],
    [
      "behind a trusted proxy the last that is none itself",
      { from: "10.0.0.1", headers: FORWARDED },
      "198.51.100.7",
      "https://registry.example",
    ],
    [
      "the trusted proxy where it says nothing that is an address",
      { from: "10.0.0.1", headers: { "X-Forwarded-For": "unknown", "X-Forwarded-Proto": "gopher" } },
      "10.0.0.1",
      "http://registry.example",
    ],
    [
      "an IPv4 address also where it comes as IPv6",
      { from: "::ffff:192.0.2.1" },
      "192.0.2.1",
      "http://registry.example",
    ],
    [
      "behind a trusted proxy of IPv6",
      { from: "2001:db8::1", headers: { "X-Forwarded-For": "2001:db8::2" } },
      "2001:db8::2",
      "http://registry.example",
    ],
  ];
  for (const [name, sent, address, origin] of cases) {
    await t.step(name, () => assertEquals(read(sent), [address, origin]));
  }
});

Deno.test("A request's origin is what the operator says, where they say it", () => {
  const reader = accessRequestReader({
    secure: true,
    externalUrl: "https://other.example",
    trustedProxies: [],
  });
  const request = new Request("http://registry.example/v2/");
  const connection = { clientAddress: "192.0.2.1", certificate: null };
  assertEquals(reader(request, new URL(request.url), connection).origin, "https://other.example");
});
