import { fieldOf, type Head, requestLine } from "./http_wire.ts";

/** What a request asks an S3 server for, in S3's own words. */
export type S3Operation =
  | "AbortMultipartUpload"
  | "CompleteMultipartUpload"
  | "CopyObject"
  | "CreateBucket"
  | "CreateMultipartUpload"
  | "DeleteBucket"
  | "DeleteObject"
  | "DeleteObjects"
  | "GetObject"
  | "HeadBucket"
  | "HeadObject"
  | "ListMultipartUploads"
  | "ListObjects"
  | "ListObjectsV2"
  | "ListParts"
  | "PutObject"
  | "UploadPart"
  | "UploadPartCopy"
  | "other";

/** A request to an S3 server. */
export interface S3Request {
  readonly operation: S3Operation;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** The object's key, empty where it is about the bucket. */
  readonly key: string;
}

/** Reads what a request asks for, where its path begins with the bucket. */
export function readS3Request(head: Head): S3Request {
  const { method, target } = requestLine(head);
  const { pathname, searchParams } = new URL(target, "http://s3");
  const key = decodeURIComponent(pathname.split("/").slice(2).join("/"));
  const isCopy = fieldOf(head, "x-amz-copy-source") !== undefined;
  const operation = key === ""
    ? bucketOperation(method, searchParams)
    : objectOperation(method, searchParams, { isCopy });
  return { operation, method, target, key };
}

function bucketOperation(method: string, query: URLSearchParams): S3Operation {
  if (method === "GET" && query.has("uploads")) return "ListMultipartUploads";
  if (method === "GET" && query.get("list-type") === "2") return "ListObjectsV2";
  if (method === "POST" && query.has("delete")) return "DeleteObjects";
  const isPlain = [...query.keys()].every((name) =>
    ["prefix", "marker", "max-keys", "delimiter"].includes(name)
  );
  if (!isPlain) return "other";
  const plain = {
    GET: "ListObjects",
    HEAD: "HeadBucket",
    PUT: "CreateBucket",
    DELETE: "DeleteBucket",
  } as const;
  return plain[method as keyof typeof plain] ?? "other";
}

function objectOperation(
  method: string,
  query: URLSearchParams,
  { isCopy }: { readonly isCopy: boolean },
): S3Operation {
  const isOfUpload = query.has("uploadId");
  switch (method) {
    case "HEAD":
      return "HeadObject";
    case "GET":
      return isOfUpload ? "ListParts" : "GetObject";
    case "PUT":
      if (isOfUpload) return isCopy ? "UploadPartCopy" : "UploadPart";
      return isCopy ? "CopyObject" : "PutObject";
    case "POST":
      if (query.has("uploads")) return "CreateMultipartUpload";
      return isOfUpload ? "CompleteMultipartUpload" : "other";
    case "DELETE":
      return isOfUpload ? "AbortMultipartUpload" : "DeleteObject";
    default:
      return "other";
  }
}
