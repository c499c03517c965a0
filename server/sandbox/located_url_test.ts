import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { openUrl } from "./located_url.ts";

const BYTES = new TextEncoder().encode("hello, world");
const DATE = "Sat, 21 Nov 2026 12:00:00 GMT";

interface Site extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
}

function serve(answer: (request: Request) => Response): Site {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
  const host = `127.0.0.1:${server.addr.port}`;
  return {
    host,
    url: `http://${host}/bucket/key?X-Amz-Signature=secret`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function answerOf(request: Request, headers: Record<string, string> = {}): Response {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("Range") ?? "");
  if (!range) return new Response(BYTES, { headers: { "Last-Modified": DATE, ...headers } });
  const [first, last] = [Number(range[1]), Number(range[2])];
  return new Response(BYTES.slice(first, last + 1), {
    status: 206,
    headers: {
      "Last-Modified": DATE,
      "Content-Range": `bytes ${first}-${last}/${BYTES.length}`,
      ...headers,
    },
  });
}

async function open(
  site: Site,
  options: { readonly offset: number; readonly length: number } | undefined = undefined,
) {
  const breaches: string[] = [];
  const opened = await openUrl({ url: site.url, unless: "x-own" }, options, {
    permissions: { net: [site.host] },
    onBreach: (reason) => breaches.push(reason),
  });
  assertEquals(breaches, []);
  return opened && { ...opened, body: await new Response(opened.body).text() };
}

Deno.test("openUrl() reads the whole, and a span", async () => {
  await using site = serve((request) => answerOf(request));
  const modifiedAtMs = Date.parse(DATE);
  assertEquals(await open(site), { size: 12, modifiedAtMs, body: "hello, world" });
  assertEquals(await open(site, { offset: 7, length: 5 }), { size: 12, modifiedAtMs, body: "world" });
});

Deno.test("openUrl() leaves to the plugin what is not just what was asked for", async () => {
  const answers: readonly ((request: Request) => Response)[] = [
    () => new Response("gone", { status: 404 }),
    () => new Response("slow down", { status: 503 }),
    (request) => answerOf(request, { "x-own": "7" }),
    () => new Response(null, { status: 302, headers: { Location: "http://127.0.0.1:1/" } }),
    () => new Response(ReadableStream.from([BYTES])),
  ];
  for (const answer of answers) {
    await using site = serve(answer);
    assertEquals(await open(site), undefined);
  }
  await using whole = serve(() => new Response(BYTES));
  assertEquals(await open(whole, { offset: 1, length: 2 }), undefined);
  assertEquals(await open({ ...whole, url: "http://127.0.0.1:1/", host: "127.0.0.1:1" }), undefined);
});

Deno.test("openUrl() goes nowhere but to hosts that were granted, and shows no signature", async () => {
  await using site = serve((request) => answerOf(request));
  for (const url of [site.url, site.url.replace("http:", "ftp:"), "file:///etc/passwd", "no url"]) {
    const breaches: string[] = [];
    const options = {
      permissions: { net: ["127.0.0.1:1"] },
      onBreach: (reason: string) => breaches.push(reason),
    };
    const opening = openUrl({ url, unless: "x-own" }, undefined, options);
    await assertRejects(() => opening, Error, "where it may not go");
    assertEquals(breaches.length, 1);
    assert(!breaches[0]!.includes("secret"), "the signature is shown");
  }
});

Deno.test("openUrl() fails in the middle of a body that breaks off", async () => {
  await using site = serve(() =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(BYTES.subarray(0, 5));
          setTimeout(() => controller.error(new Error("cut")), 20);
        },
      }),
      { headers: { "Content-Length": "12", "Last-Modified": DATE } },
    )
  );
  await assertRejects(() => open(site), Error);
});
