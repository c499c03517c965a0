/** Where to listen, and with what certificate. */
export interface ListenOptions {
  readonly hostname: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM texts; absent: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly privateKey: string } | undefined;
}

/** A server that listens. */
export interface Listener {
  /** Its base, without a slash at the end. */
  readonly url: string;
  /** Takes no more requests, lets those under way end for `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** Listens, and serves requests with `handler`. Fails where the address cannot be had. */
export function listen(options: ListenOptions, handler: (request: Request) => Promise<Response>): Listener {
  const { hostname, port, tls } = options;
  const cut = new AbortController();
  const server = startServer();
  const { addr } = server;
  const host = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  return {
    url: `${tls ? "https" : "http"}://${host}:${addr.port}`,
    async close(graceMs) {
      const timer = setTimeout(() => cut.abort(), graceMs);
      await server.shutdown();
      clearTimeout(timer);
    },
  };

  function startServer(): Deno.HttpServer<Deno.NetAddr> {
    const common = { hostname, port, signal: cut.signal, onListen: () => {} };
    try {
      return tls
        ? Deno.serve({ ...common, cert: tls.certificate, key: tls.privateKey }, handler)
        : Deno.serve(common, handler);
    } catch (error) {
      const reason = error instanceof Deno.errors.AddrInUse ? "the port is taken" : (error as Error).message;
      throw new Error(`Cannot listen on ${hostname}:${port}: ${reason}`, { cause: error });
    }
  }
}
