import { assert, assertEquals } from "../../../tests/support/assert.ts";
import { signHeaders, signQuery } from "./signing.ts";

/** The examples of Amazon's description of Signature Version 4 for S3. */
const FACTS = {
  credentials: {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  },
  region: "us-east-1",
  nowMs: Date.UTC(2013, 4, 24),
};
const BUCKET = "https://examplebucket.s3.amazonaws.com";
const CREDENTIAL = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";

Deno.test("signHeaders() signs a GET with a range as Amazon's example", () => {
  const request = { method: "GET", url: new URL(`${BUCKET}/test.txt`), headers: { range: "bytes=0-9" } };
  assertEquals(signHeaders(request, { ...FACTS, body: [] }).headers, {
    range: "bytes=0-9",
    "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "x-amz-date": "20130524T000000Z",
    authorization:
      `${CREDENTIAL}, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41`,
  });
});

for (
  const [query, signature] of [
    ["lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"],
    ["max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"],
    ["prefix=J&max-keys=2", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"],
  ] as const
) {
  Deno.test(`signHeaders() signs a query (${query}) as Amazon's example`, () => {
    const request = { method: "GET", url: new URL(`${BUCKET}/?${query}`), headers: {} };
    const { authorization } = signHeaders(request, { ...FACTS, body: [] }).headers;
    assert(authorization!.endsWith(`Signature=${signature}`), authorization);
  });
}

Deno.test("signQuery() signs a URL as Amazon's example", () => {
  const request = { method: "GET", url: new URL(`${BUCKET}/test.txt`), headers: {} };
  assertEquals(
    signQuery(request, { ...FACTS, lifetimeS: 86_400 }).url.href,
    `${BUCKET}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256` +
      "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
      "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
      "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});

Deno.test("signHeaders() signs a body's digest over plain HTTP, and leaves it to TLS otherwise", () => {
  const digestAt = (url: string) => {
    const body = [new TextEncoder().encode("Welcome to "), new TextEncoder().encode("Amazon S3.")];
    const signed = signHeaders({ method: "PUT", url: new URL(url), headers: {} }, { ...FACTS, body });
    return signed.headers["x-amz-content-sha256"];
  };
  // A store may keep half of a body that nobody has signed.
  for (const url of ["http://s3.example/a", "https://s3.example/a"]) {
    assertEquals(digestAt(url), "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
  }
});

Deno.test("a session's token is signed with what it is sent with", () => {
  const credentials = { ...FACTS.credentials, sessionToken: "a+/=" };
  const request = { method: "GET", url: new URL(`${BUCKET}/a`), headers: {} };
  const { headers } = signHeaders(request, { ...FACTS, credentials, body: [] });
  assertEquals(headers["x-amz-security-token"], "a+/=");
  assert(headers["authorization"]!.includes("x-amz-date;x-amz-security-token,"));
  const { url } = signQuery(request, { ...FACTS, credentials, lifetimeS: 60 });
  assertEquals(url.searchParams.get("X-Amz-Security-Token"), "a+/=");
});
