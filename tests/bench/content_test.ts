import { createHash } from "node:crypto";
import { assertEquals } from "../support/assert.ts";
import { createSource } from "./content.ts";

for (const bytes of [16, 4096, 1_048_576, 3 * 1_048_576 + 5]) {
  Deno.test(`createSource(${bytes}) makes contents that have their digest and their length, plain and framed`, () => {
    const { digest, plain, framed } = createSource(bytes)();
    assertEquals(sumUp(plain), { digest, bytes });
    assertEquals(sumUp([...unframe(framed)]), { digest, bytes });
  });
}

Deno.test("createSource() makes no content twice", () => {
  const next = createSource(32);
  assertEquals(new Set(Array.from({ length: 100 }, () => next().digest)).size, 100);
});

function sumUp(pieces: readonly Uint8Array[]) {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return {
    digest: `sha256:${hash.digest("hex")}`,
    bytes: pieces.reduce((sum, { length }) => sum + length, 0),
  };
}

function* unframe(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  const bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  for (let start = 0;;) {
    const lineEnd = bytes.indexOf(13, start);
    const size = parseInt(new TextDecoder().decode(bytes.subarray(start, lineEnd)), 16);
    if (size === 0) return;
    yield bytes.subarray(lineEnd + 2, lineEnd + 2 + size);
    start = lineEnd + 2 + size + 2;
  }
}
