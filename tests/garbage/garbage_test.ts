import { create } from "../../plugins/storage/fs/fs.ts";
import { proveCollection, SEED } from "./proof.ts";

const SECONDS = 30;

for (const servers of [1, 2]) {
  const name = servers === 1 ? "one server" : `${servers} servers`;
  Deno.test(`Collection beside pushes and kills, over ${name} (SREG_GARBAGE_SEED=${SEED})`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "sreg-garbage-" });
    const storage = await create({ root_dir: folder });
    await proveCollection({ name, servers, seconds: SECONDS, folder, store: "", storage });
    await Deno.remove(folder, { recursive: true });
  });
}
