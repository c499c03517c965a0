/** Where the bucket and its objects are: path-style (`endpoint/bucket/key`) or virtual-host (`bucket.endpoint/key`). */

/** How the bucket is named in a URL. */
export type Addressing = "path" | "virtual";

/** A bucket behind an endpoint. */
export interface BucketPlace {
  readonly endpoint: URL;
  readonly bucket: string;
  readonly addressing: Addressing;
}

/** The URL of an object, or of the bucket, with a query. */
export function addressOf(
  { endpoint, bucket, addressing }: BucketPlace,
  { key = "", query = {} }: { readonly key?: string; readonly query?: Readonly<Record<string, string>> },
): URL {
  const url = new URL(endpoint);
  const root = endpoint.pathname.replace(/\/$/, "");
  if (addressing === "virtual") url.hostname = `${bucket}.${url.hostname}`;
  const path = addressing === "virtual" ? key : key === "" ? bucket : `${bucket}/${key}`;
  url.pathname = `${root}/${path.split("/").map(encodeWord).join("/")}`;
  url.search = Object.entries(query).map((pair) => pair.map(encodeWord).join("=")).join("&");
  return url;
}

/** What signatures are made over is strictly RFC 3986: a `+` or a `(` that were left would be read in two ways. */
export function encodeWord(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
