import { assertEquals, assertRejects } from "../../../tests/support/assert.ts";
import { answering, startScripted, type Step, writeAll } from "../../../tests/support/scripted_server.ts";
import { S3_OPTIONS } from "../../../tests/support/s3_options.ts";
import { PluginError } from "../../contract/error.ts";
import { Bucket } from "./bucket.ts";
import { Copies } from "./copies.ts";
import { probeConditions } from "./probe.ts";
import { readSettings } from "./settings.ts";
import { createTransport } from "./transport.ts";

function bucketAt(url: string): Bucket {
  return new Bucket(createTransport(readSettings({ ...S3_OPTIONS, endpoint: url })), { name: "bucket" });
}

function xml(code: string): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`;
}

const vanish: Step = () => "close";

Deno.test("putPart() tries again after a lost answer where it may not ask what the upload has", async () => {
  using store = startScripted([
    vanish,
    answering(403, xml("AccessDenied")),
    answering(200, "", { ETag: '"e"' }),
  ]);
  const place = { key: "a", id: "upload", number: 1 };
  assertEquals(await bucketAt(store.url).putPart(place, [new Uint8Array(3)]), '"e"');
  assertEquals(store.requests.map(({ method }) => method), ["PUT", "GET", "PUT"]);
});

Deno.test("an object of whose length the store says nothing is not taken for an empty one", async () => {
  const message = "Cannot read a: the store does not say how long it is";
  const chunked = async (_: unknown, connection: Deno.TcpConn) => {
    await writeAll(
      connection,
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    return "close";
  };
  using whole = startScripted([chunked]);
  await assertRejects(() => bucketAt(whole.url).open("a"), PluginError, message);
  using head = startScripted([async (_, connection) => {
    await writeAll(connection, 'HTTP/1.1 200 OK\r\netag: "e"\r\n\r\n');
    return "close";
  }]);
  await assertRejects(() => bucketAt(head.url).head("a"), PluginError, message);
});

/** A store of one object that holds writers to conditions, and deleters to what `onDelete` says of theirs. */
function storeOfOne({ onDelete }: { readonly onDelete: (matches: boolean) => Step | undefined }) {
  let version = 0;
  let etag: string | undefined;
  const list = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
  const step: Step = (request, connection) => {
    const { method, headers } = request;
    const [ifMatch, ifNoneMatch] = [headers.get("if-match"), headers.get("if-none-match")];
    if (method === "GET") return answering(200, list)(request, connection);
    if (method === "HEAD") {
      return (etag ? answering(200, "", { ETag: etag }) : answering(404))(request, connection);
    }
    if (method === "PUT") {
      const holds = ifNoneMatch ? etag === undefined : ifMatch === null || ifMatch === etag;
      if (!holds) return answering(412, xml("PreconditionFailed"))(request, connection);
      etag = `"${++version}"`;
      return answering(200, "", { ETag: etag })(request, connection);
    }
    const refusal = ifMatch !== null ? onDelete(ifMatch === etag) : undefined;
    if (refusal) return refusal(request, connection);
    etag = undefined;
    return answering(204)(request, connection);
  };
  return startScripted([step]);
}

Deno.test("probeConditions() takes a store that refuses to delete on a condition for one without conditions", async () => {
  using store = storeOfOne({ onDelete: () => answering(501, xml("NotImplemented")) });
  assertEquals(await probeConditions(bucketAt(store.url), ":probe/"), false);
});

Deno.test("probeConditions() finds out that a store has conditions", async () => {
  using store = storeOfOne({
    onDelete: (matches) => matches ? undefined : answering(412, xml("PreconditionFailed")),
  });
  assertEquals(await probeConditions(bucketAt(store.url), ":probe/"), true);
});

/** A store that completes a multipart upload for `copier`, and loses the answer. */
function forgetful(copier: "us" | "somebody else") {
  let mark = "another";
  let completions = 0;
  const steps: Readonly<Record<string, () => ReturnType<typeof answering> | "close">> = {
    "POST uploads": () => answering(200, "<Begun><UploadId>upload</UploadId></Begun>"),
    "PUT": () => answering(200, "<Copied><ETag>p</ETag></Copied>"),
    "POST": () => ++completions === 1 ? "close" : answering(404, xml("NoSuchUpload")),
    "HEAD": () => answering(200, "x".repeat(20), { "ETag": '"e-2"', "x-amz-meta-sreg-write": mark }),
  };
  return startScripted([(request, connection) => {
    const { method, target, headers } = request;
    const begins = target.endsWith("?uploads=");
    if (begins && copier === "us") mark = headers.get("x-amz-meta-sreg-write") ?? mark;
    const step = steps[begins ? "POST uploads" : method]!();
    return step === "close" ? step : step(request, connection);
  }]);
}

const COPIES = { threshold: 10, chunkSize: 10, jobs: 2 };

Deno.test("copy() in parts finds out that it has copied where the answer to the last request was lost", async () => {
  using store = forgetful("us");
  assertEquals(await new Copies(bucketAt(store.url), COPIES).copy("from", "to", 20), true);
});

Deno.test("copy() in parts does not take for its own what somebody else has put where its upload has ended", async () => {
  using store = forgetful("somebody else");
  assertEquals(await new Copies(bucketAt(store.url), COPIES).copy("from", "to", 20), false);
});

Deno.test("copy() in parts that fails ends its upload when no part is on its way any more, and begins no other", async () => {
  const seen: string[] = [];
  const refused = Promise.withResolvers<void>();
  using store = startScripted([async (request, connection) => {
    const { method, target } = request;
    const part = new URL(target, store.url).searchParams.get("partNumber");
    if (method === "POST") {
      const begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
      return await answering(200, begun)(request, connection);
    }
    if (method === "DELETE") {
      seen.push("aborted");
      return await answering(204)(request, connection);
    }
    if (part === "2") {
      refused.resolve();
      seen.push("part 2");
      return await answering(400, xml("InvalidRequest"))(request, connection);
    }
    await refused.promise;
    await new Promise((resolve) => setTimeout(resolve, 100));
    seen.push(`part ${part}`);
    return await answering(200, "<CopyPartResult><ETag>e</ETag></CopyPartResult>")(request, connection);
  }]);
  const copies = new Copies(bucketAt(store.url), COPIES);
  await assertRejects(() => copies.copy("from", "to", 100), PluginError, "InvalidRequest");
  assertEquals(seen, ["part 2", "part 1", "aborted"]);
});
