import fc from "fast-check";
import type { Digest } from "../../server/oci/digest.ts";
import { OciError } from "../../server/oci/error.ts";
import type { RepositoryName } from "../../server/oci/name.ts";
import type { Tag } from "../../server/oci/reference.ts";
import { deleteBlob, type Registry } from "../../server/registry/registry.ts";
import { assertEquals } from "../support/assert.ts";
import { digestOf } from "../support/client.ts";
import { bytesOf, keysOf, open, push, pushImage, scrubStore, SILENT, STORES, upload } from "./scene.ts";

/** How many histories, and the seed that repeats them; a failure's message has it. */
const RUNS = Number(Deno.env.get("SREG_MODEL_RUNS") ?? 40);
const SEED = Deno.env.get("SREG_MODEL_SEED");

const DAY_MS = 86_400_000;

type Step = (registry: Registry, images: Digest[]) => Promise<unknown>;

const name = fc.constantFrom("x", "x-y", "x/y", "x.y/z").map((text) => text as RepositoryName);
const text = fc.constantFrom("one", "two", "three", "four");
const tags = fc.subarray(["a", "a-b", "B", "0.1.20"]);
const which = fc.nat(50);

function pick(images: readonly Digest[], index: number): Digest {
  return images[index % images.length] ?? digestOf(bytesOf("none")) as Digest;
}

const STEPS: fc.Arbitrary<readonly [label: string, step: Step]>[] = [
  fc.tuple(name, text).map(([name, text]) => [
    `upload ${text} to ${name}`,
    (registry) => upload(registry, name, text),
  ]),
  fc.tuple(name, text).map(([name, text]) => [
    `half an upload to ${name}`,
    async ({ uploads }) => {
      const id = await uploads.create(name);
      await uploads.append(name, id, { body: new Blob([text]).stream() as never });
    },
  ]),
  fc.tuple(name, name, text).map(([name, from, text]) => [
    `mount ${text} from ${from} in ${name}`,
    ({ blobs }) =>
      blobs.mount(name, digestOf(bytesOf(text)) as Digest, { from, mayRead: () => Promise.resolve(true) }),
  ]),
  fc.tuple(name, fc.array(text, { minLength: 1, maxLength: 3 }), tags).map(([name, texts, tags]) => [
    `push ${texts} as ${name}:${tags}`,
    async (registry, images) => {
      images.push((await pushImage(registry, name, { texts, tags })).digest);
    },
  ]),
  fc.tuple(name, text, which).map(([name, text, which]) => [
    `push ${text} about an image to ${name}`,
    (registry, images) => {
      const subject = {
        digest: pick(images, which),
        size: 1,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
      };
      return pushImage(registry, name, { texts: [text], subject });
    },
  ]),
  fc.tuple(name, tags).map(([name, tags]) => [
    `push an empty index as ${name}:${tags}`,
    (registry) => push(registry, name, { json: { manifests: [] }, tags }),
  ]),
  fc.tuple(name, which).map(([name, which]) => [
    `delete an image of ${name}`,
    ({ manifests }, images) => manifests.delete(name, pick(images, which)),
  ]),
  fc.tuple(name, fc.constantFrom("a", "a-b", "B")).map(([name, tag]) => [
    `delete ${name}:${tag}`,
    ({ tags }) => tags.delete(name, tag as Tag),
  ]),
  fc.tuple(name, text).map(([name, text]) => [
    `delete ${text} of ${name}`,
    (registry) => deleteBlob(registry, name, digestOf(bytesOf(text)) as Digest),
  ]),
  fc.constant(["collect", ({ garbage }) => garbage.collect({ graceMs: 0, dryRun: false }, SILENT)]),
];

Deno.test(`scrub finds nothing, and changes nothing, after ${RUNS} histories`, async () => {
  const property = fc.asyncProperty(
    fc.array(fc.oneof(...STEPS), { maxLength: 40, size: "max" }),
    async (steps) => {
      const { storage } = await STORES["memory"]!();
      const registry = await open(storage);
      const images: Digest[] = [];
      for (const [, step] of steps) {
        await step(registry, images).catch((error) => {
          if (!(error instanceof OciError)) throw error;
        });
      }
      const before = await keysOf(storage);
      const { findings } = await scrubStore(storage, { repair: true, rehash: true, uploadIdleMs: DAY_MS });
      assertEquals(findings, []);
      assertEquals(await keysOf(storage), before);
    },
  );
  await fc.assert(property, { numRuns: RUNS, ...(SEED !== undefined && { seed: Number(SEED) }) });
});
