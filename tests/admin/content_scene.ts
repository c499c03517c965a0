/** Registries over each kind of store that runs here, for tests of what the administration says of their content. */

import { type Scene, startScene } from "../access/scene.ts";
import { type Content, contentOf, descriptorOf, imageOf, type RegistryClient } from "../support/client.ts";

const STORES = { fs: "", memory: "[storage.memory]\n" };

/** A test that runs over each kind of store. `config` comes before the tables of identities. */
export function testStores(
  name: string,
  { config = "" }: { readonly config?: string },
  test: (scene: Scene, t: Deno.TestContext) => Promise<void>,
): void {
  for (const [store, table] of Object.entries(STORES)) {
    Deno.test(`${name} (${store})`, async (t) => {
      await using scene = await startScene({ config: config + table });
      await test(scene, t);
    });
  }
}

/** An image of its own: a config and a layer that no other has. */
export interface OwnImage {
  readonly manifest: Content;
  readonly config: Content;
  readonly layer: Content;
  /** Bytes of all three. */
  readonly size: number;
}

/** Pushes an image whose blobs are made of a text. */
export async function pushOwn(
  client: RegistryClient,
  name: string,
  { text, tag, changes }: { readonly text: string; readonly tag?: string; readonly changes?: object },
): Promise<OwnImage> {
  const config = await client.pushBlob(name, contentOf(`config ${text}`));
  const layer = await client.pushBlob(name, contentOf(`layer ${text}`));
  const manifest = imageOf(config, [layer], changes);
  const answer = await client.putManifest(name, tag ?? manifest.digest, manifest);
  if (answer.status !== 201) throw new Error(`PUT of a manifest answered ${answer.status} ${answer.text}`);
  const size = [config, layer, manifest].reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  return { manifest, config, layer, size };
}

/** What a tree says of a blob. */
export function partOf(content: Content, mediaType: string) {
  const { digest, size } = descriptorOf(content);
  return { digest, media_type: mediaType, size };
}

/** The value without its times, after it was checked that each is one of the last minute. */
export function withoutTimes<T extends object>(value: T): object {
  return Object.fromEntries(
    Object.entries(value).filter(([name, text]) => {
      if (!/_at$/.test(name)) return true;
      const age = Date.now() - Date.parse(text);
      if (!(age > -5_000 && age < 60_000)) throw new Error(`${name} is ${text}`);
      return false;
    }),
  );
}
