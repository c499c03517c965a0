/** The URLs of a provider: which ones may be asked. */

/** Throws, in the words of `what`, where a text is no URL that a provider may be asked at. */
export function parseAddress(text: string, what: string): URL {
  const refuse = (state: string): never => {
    throw new TypeError(`Cannot use ${what} ${JSON.stringify(text)}: ${state}`);
  };
  if (!URL.canParse(text)) return refuse("it is no URL");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") refuse("it holds a user name or a password");
  if (url.hash !== "") refuse("it has a fragment");
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))) return url;
  return refuse("only https is safe, but for a provider on this machine");
}

/** Whether `hosts`, each a host or a host with a port, name the host of `url`. */
export function isAmong(hosts: readonly string[], url: URL): boolean {
  return hosts.some((host) => host === url.hostname || host === hostAndPort(url));
}

/** A URL's host and port, the usual port too. */
export function hostAndPort(url: URL): string {
  return url.port === "" ? `${url.hostname}:${url.protocol === "https:" ? 443 : 80}` : url.host;
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
