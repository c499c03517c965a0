import { bindTo, formatUrl, type Handler, type Listener, type ListenOptions } from "./listener.ts";
import { TlsFront } from "./tls_front.ts";

export type { Connection, Handler, Listener, ListenOptions, TlsOptions } from "./listener.ts";

/** Listens, and serves requests with `handler`. Fails where the address or the certificates cannot be had. */
export function listen(options: ListenOptions, handler: Handler): Listener {
  const { tls } = options;
  return tls === undefined ? listenPlain(options, handler) : new TlsFront({ ...options, tls }, handler);
}

function listenPlain(options: ListenOptions, handler: Handler): Listener {
  const { hostname, port } = options;
  const cut = new AbortController();
  const server = bindTo(options, () =>
    Deno.serve(
      { hostname, port, signal: cut.signal, onListen: () => {} },
      (request, { remoteAddr }) =>
        handler(request, { clientAddress: remoteAddr.hostname, certificate: null }),
    ));
  return {
    url: formatUrl("http", server.addr),
    async close(graceMs) {
      const timer = setTimeout(() => cut.abort(), graceMs);
      await server.shutdown();
      clearTimeout(timer);
    },
    replaceTls() {
      throw new Error(`Cannot replace the certificates of ${hostname}:${port}: it speaks plain HTTP`);
    },
  };
}
