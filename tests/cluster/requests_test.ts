/** What pushes and pulls cost the store: counted between three replicas and their bucket. */

import { assert, assertEquals } from "../support/assert.ts";
import { type Content, imageOf, randomContent, RegistryClient } from "../support/client.ts";
import { CAN_CLUSTER, CLUSTER_PROGRAMS, type RunningCluster, startCluster } from "../support/cluster.ts";
import type { S3Request } from "../support/s3_operations.ts";

const LAYERS = [1, 4, 10];
const LAYER_BYTES = 20_000;
const PULL_MAX = 2;
const pushMax = (layers: number) => 4 * layers + 8;

const CONFIG = `[log]\nlevel = "warn"\n[schedule]\ngc = "off"\n`;

/** What is read and written in batches, whatever clients do. */
const BACKGROUND = /^[^/]+\/(?:access|audit|jobs|pulls)\//;

async function pushBlob(client: RegistryClient, name: string): Promise<Content> {
  const content = randomContent(LAYER_BYTES);
  const absent = await client.send("HEAD", `/v2/${name}/blobs/${content.digest}`);
  const location = await client.startUpload(name);
  const sent = await client.send("PATCH", location, { body: content.bytes });
  const end = `${sent.headers.get("location")}?digest=${content.digest}`;
  const ended = await client.send("PUT", end);
  assert(absent.status === 404 && sent.status === 202 && ended.status === 201, ended.text);
  return content;
}

/** Pushes as docker and skopeo do: asks for each blob, and sends it in one chunk. */
async function pushImage(client: RegistryClient, name: string, layers: number): Promise<void> {
  const blobs: Content[] = [];
  for (let blob = 0; blob <= layers; blob++) blobs.push(await pushBlob(client, name));
  const { status, text } = await client.putManifest(name, "v1", imageOf(blobs[0]!, blobs.slice(1)));
  assert(status === 201, text);
}

/** Of which keys a list is asked for. */
function prefixOf({ target }: S3Request): string {
  return new URL(target, "http://s3").searchParams.get("prefix") ?? "";
}

/** What is asked of the store for clients while something is done. */
async function countDuring({ links: { store } }: RunningCluster, act: () => Promise<unknown>) {
  store.forget();
  await act();
  const asked = store.requests.map((request) => ({ ...request, about: request.key || prefixOf(request) }))
    .filter(({ about }) => !BACKGROUND.test(about));
  const list = asked.map(({ operation, about }) => `${operation} ${about.slice(about.indexOf("/") + 1)}`);
  return { count: asked.length, list: list.join("\n") };
}

Deno.test({
  name: `Requests to the store ${CLUSTER_PROGRAMS}`,
  ignore: !CAN_CLUSTER,
  async fn(t) {
    await using cluster = await startCluster({ withFaults: true, config: CONFIG });
    const client = new RegistryClient(cluster.url);
    const faithful = new RegistryClient(cluster.replica(0).url);
    for (const layers of LAYERS) {
      const name = `counted/layers-${layers}`;
      const pushes = [
        { to: "one replica", by: faithful, into: `${name}-of-one` },
        { to: "all replicas in turn", by: client, into: name },
      ];
      const max = pushMax(layers);
      for (const { to, by, into } of pushes) {
        await t.step(`a push of ${layers} layers to ${to} costs at most ${max}`, async () => {
          const { count, list } = await countDuring(cluster, () => pushImage(by, into, layers));
          console.log(`${count} for a push of ${layers} layers to ${to}`);
          assert(count <= max, `${count} requests:\n${list}`);
          const sent = list.split("\n").filter((line) => line.startsWith("PutObject blobs/"));
          assertEquals(sent.length, layers + 1);
        });
      }
      await t.step(`a pull of its manifest by tag costs at most ${PULL_MAX}`, async () => {
        for (let replica = 0; replica < cluster.size; replica++) {
          const pull = () => client.get(`/v2/${name}/manifests/v1`);
          const { count, list } = await countDuring(cluster, pull);
          assert(count > 0 && count <= PULL_MAX, `${count} requests:\n${list}`);
        }
      });
    }
  },
});
