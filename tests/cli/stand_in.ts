/** A server that answers what a test says, and remembers what it was asked. */

/** What was asked. */
export interface Asked {
  readonly method: string;
  /** Path and query, as they came. */
  readonly path: string;
  readonly authorization: string | null;
  readonly body: unknown;
}

/** An answer: a value as JSON, a whole response, or nothing (204). */
export type Reply = object | Response | null | (() => object | Response | null);

/** A server in place of sreg. */
export interface StandIn extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly Asked[];
}

/** Begins to serve; `replies` are named by method and path: `GET /admin/v1/me`, whatever the query. */
export function serve(
  replies: Readonly<Record<string, Reply>>,
  { port = 0, ...tls }: { readonly port?: number; readonly cert?: string; readonly key?: string } = {},
): StandIn {
  const asked: Asked[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {}, ...tls as { cert: string; key: string } },
    async (request) => {
      const { method, headers } = request;
      const { pathname, search } = new URL(request.url);
      const text = await request.text();
      asked.push({
        method,
        path: pathname + search,
        authorization: headers.get("Authorization"),
        body: text === "" ? undefined : JSON.parse(text),
      });
      return answer(replies[`${method} ${pathname}`]);
    },
  );
  return {
    url: `${tls.cert === undefined ? "http" : "https"}://127.0.0.1:${server.addr.port}`,
    asked,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** An error as sreg answers it. */
export function refusal(status: number, message: string, detail?: unknown): Response {
  return Response.json({ errors: [{ code: "UNSUPPORTED", message, detail }] }, { status });
}

function answer(reply: Reply | undefined): Response {
  if (reply === undefined) return refusal(404, "Cannot serve the path: it is none of the registry's");
  if (reply === null) return new Response(null, { status: 204 });
  if (typeof reply === "function") return answer(reply());
  return reply instanceof Response ? reply : Response.json(reply);
}
