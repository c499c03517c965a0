import { BlockList, isIP } from "node:net";
import type { ClientCertificate } from "../../plugins/contract/identity.ts";

/** What of a request says who sent it. */
export interface AccessRequest {
  readonly method: string;
  /** The `Authorization` header. */
  readonly authorization: string | null;
  /** The scheme and host that the client used: `https://registry.example`. */
  readonly origin: string;
  readonly clientAddress: string;
  readonly certificate: ClientCertificate | null;
}

/** The connection that a request came by. */
export interface Connection {
  /** The address of whoever opened it, without its port. */
  readonly clientAddress: string;
  /** The certificate that they showed, verified; `null` where they showed none. */
  readonly certificate: ClientCertificate | null;
}

/** How the registry is reached from outside. */
export interface Frontage {
  /** Whether the listener speaks TLS. */
  readonly secure: boolean;
  /** The scheme and host that clients use, where that is not what they say in `Host`. */
  readonly externalUrl?: string | undefined;
  /** The proxies whose `X-Forwarded-…` headers are believed: addresses and ranges. */
  readonly trustedProxies: readonly string[];
}

/** What of a request says who sent it, and by what name they call the registry. */
export function accessRequestReader(
  { secure, externalUrl, trustedProxies }: Frontage,
): (request: Request, url: URL, connection: Connection) => AccessRequest {
  const trusted = blockListOf(trustedProxies);
  return (request, url, { clientAddress: remoteAddress, certificate }) => {
    const clientAddress = plainAddress(remoteAddress);
    const isProxied = trustedProxies.length > 0 && isListed(trusted, clientAddress);
    const protocol = (isProxied ? forwardedProtocol(request.headers) : undefined) ??
      (secure ? "https" : "http");
    return {
      method: request.method,
      authorization: request.headers.get("Authorization"),
      origin: externalUrl ?? `${protocol}://${url.host}`,
      clientAddress: isProxied ? forwardedAddress(request.headers, trusted) ?? clientAddress : clientAddress,
      certificate,
    };
  };
}

/** A listener on all addresses sees those of IPv4 in the form of IPv6 (RFC 4291, section 2.5.5.2). */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=[0-9]+(?:\.[0-9]+){3}$)/i, "");
}

function blockListOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function isListed(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? "ipv6" : "ipv4");
}

/** The last address of the header that is no trusted proxy's: what stands before it anybody may have written. */
function forwardedAddress(headers: Headers, trusted: BlockList): string | undefined {
  const hops = (headers.get("X-Forwarded-For") ?? "").split(",").map((hop) => hop.trim());
  const client = hops.findLast((hop) => !isListed(trusted, hop));
  return client !== undefined && isIP(client) !== 0 ? client : undefined;
}

function forwardedProtocol(headers: Headers): string | undefined {
  const protocol = headers.get("X-Forwarded-Proto");
  return protocol === "https" || protocol === "http" ? protocol : undefined;
}
