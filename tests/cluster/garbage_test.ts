/** Collection over replicas of one bucket, each of which collects, while they are killed. */

import { proveCollection, SEED } from "../garbage/proof.ts";
import { CAN_CLUSTER, CLUSTER_PROGRAMS, sharedConfig, startGround } from "../support/cluster.ts";
import { openS3 } from "../support/s3_store.ts";

const SECONDS = 15;
const PREFIX = "garbage/";

Deno.test({
  name:
    `Collection beside pushes and kills, over three replicas (SREG_GARBAGE_SEED=${SEED}) ${CLUSTER_PROGRAMS}`,
  ignore: !CAN_CLUSTER,
  async fn() {
    await using ground = await startGround();
    await proveCollection({
      name: "three replicas",
      servers: 3,
      seconds: SECONDS,
      folder: `${ground.s3.bucketFolder}/${PREFIX.slice(0, -1)}`,
      store: sharedConfig(ground, { prefix: PREFIX }),
      storage: await openS3(ground.s3, { key_prefix: PREFIX }),
    });
  },
});
