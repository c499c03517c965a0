import { assertEquals } from "../../tests/support/assert.ts";
import { parseDigest } from "../oci/digest.ts";
import { decodeTag, encodeTag } from "./tag_line.ts";

const digest = parseDigest(`sha256:${"a".repeat(64)}`);

function decode(text: string) {
  return decodeTag(new TextEncoder().encode(text));
}

Deno.test("decodeTag() reads what encodeTag() writes, whoever did it", () => {
  const firstUs = Date.now() * 1_000 + 7;
  for (
    const by of ["ann", "", 'a "b" \\ c', "a\nb\t\u0001\u007f", "\u00e9\u{1f600}", "\ud800", "a/b", "{}"]
  ) {
    assertEquals(decodeTag(encodeTag({ digest, firstUs, by })), { digest, firstUs, by });
  }
  assertEquals(decodeTag(encodeTag({ digest, firstUs })), { digest, firstUs });
  assertEquals(decodeTag(encodeTag({ digest })), { digest });
  assertEquals(decodeTag(encodeTag({ digest, push: "p" })), { digest, push: "p" });
  assertEquals(decodeTag(encodeTag({ digest, firstUs, by: "ann", push: "p" })), {
    digest,
    firstUs,
    by: "ann",
    push: "p",
  });
});

Deno.test("encodeTag() never writes the same twice", () => {
  const texts = Array.from({ length: 10 }, () => new TextDecoder().decode(encodeTag({ digest, firstUs: 1 })));
  assertEquals(new Set(texts).size, 10);
});

Deno.test("decodeTag() reads tags of older servers, and where those point whose rest is damaged", () => {
  for (
    const rest of [
      "",
      "\n",
      "\nmark",
      "\nmark\n",
      "\nmark\n{",
      "\nmark\n{}",
      "\nmark\nnull",
      '\nmark\n{"by":"ann"}',
      '\nmark\n{"by":"ann","push":7}',
      '\nmark\n{"firstUs":"x"}',
      '\nmark\n{"firstUs":12345678901234567}',
      '\nmark\n{"firstUs":1,"by":7}',
      '\nmark\n{"firstUs":1,"by":"ann}',
      '\nmark\n{"firstUs":1,"by":"\\x"}',
    ]
  ) {
    assertEquals(decode(digest + rest), { digest }, JSON.stringify(rest));
  }
  assertEquals(decode(`${digest}\nmark\n{"firstUs":1,"digest":"other"}`), { digest, firstUs: 1 });
});
