import { assertEquals } from "../../tests/support/assert.ts";
import { signBody } from "./signature.ts";

Deno.test("signBody() signs the seconds, a dot and the body", () => {
  // printf '1900000000.{"a":"ß"}' | openssl dgst -sha256 -hmac key
  assertEquals(
    signBody('{"a":"ß"}', { secret: "key", nowMs: 1_900_000_000_999 }),
    "t=1900000000,v1=f499cb6aa52e31807e37a14926d77ffd8a8fc8138ea9f830824fc005e9d2885a",
  );
});
