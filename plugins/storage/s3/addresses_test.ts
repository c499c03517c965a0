import { assertEquals } from "../../../tests/support/assert.ts";
import { type Addressing, addressOf } from "./addresses.ts";

const KEY = "a/b c+d(e)!*'~_-.ü";
const ENCODED = "a/b%20c%2Bd%28e%29%21%2A%27~_-.%C3%BC";

const ADDRESSES: readonly (readonly [endpoint: string, addressing: Addressing, key: string, url: string])[] =
  [
    ["https://s3.example", "path", KEY, `https://s3.example/bucket/${ENCODED}`],
    ["https://s3.example", "virtual", KEY, `https://bucket.s3.example/${ENCODED}`],
    ["http://127.0.0.1:9000/", "path", "a", "http://127.0.0.1:9000/bucket/a"],
    ["http://s3.example:9000", "virtual", "a", "http://bucket.s3.example:9000/a"],
    ["https://gate.example/s3/", "path", "a", "https://gate.example/s3/bucket/a"],
    ["https://gate.example/s3", "virtual", "a", "https://bucket.gate.example/s3/a"],
  ];

for (const [endpoint, addressing, key, url] of ADDRESSES) {
  Deno.test(`addressOf() names an object of ${endpoint}, ${addressing}-style, ${url}`, () => {
    const place = { endpoint: new URL(endpoint), bucket: "bucket", addressing };
    assertEquals(addressOf(place, { key }).href, url);
  });
}

Deno.test("addressOf() names the bucket itself, and encodes a query as it is signed", () => {
  const place = { endpoint: new URL("https://s3.example"), bucket: "bucket" };
  const query = { "list-type": "2", prefix: "a b/+&=", uploads: "" };
  const text = "?list-type=2&prefix=a%20b%2F%2B%26%3D&uploads=";
  assertEquals(
    addressOf({ ...place, addressing: "path" }, { query }).href,
    `https://s3.example/bucket${text}`,
  );
  assertEquals(
    addressOf({ ...place, addressing: "virtual" }, { query }).href,
    `https://bucket.s3.example/${text}`,
  );
});
