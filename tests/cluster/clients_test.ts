/** Clients push to and pull from three replicas that share a bucket, each request to the next one. */

import { CAN_CLUSTER, CLUSTER_PROGRAMS, clusters, startGround } from "../support/cluster.ts";
import { startInstead } from "../support/registry.ts";

async function importTests(): Promise<void> {
  const ground = await startGround();
  startInstead(clusters(ground));
  for (const client of ["skopeo", "podman", "buildah"]) await import(`../clients/${client}_test.ts`);
  Deno.test.afterAll(async () => await ground[Symbol.asyncDispose]());
}

if (CAN_CLUSTER) await importTests();
else Deno.test({ name: `Clients of three replicas ${CLUSTER_PROGRAMS}`, ignore: true, fn() {} });
