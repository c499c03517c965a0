/**
 * The errors of the distribution spec: exactly the codes it lists ("Error Codes"), each with the status it goes out
 * with unless the place that throws it knows a better one.
 */
export const OCI_ERROR_STATUS = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 413,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNSUPPORTED: 405,
} as const;

/** One of the spec's error codes. */
export type OciErrorCode = keyof typeof OCI_ERROR_STATUS;

/** Headers by name; a list of values is that many headers. */
export type ErrorHeaders = Readonly<Record<string, string | readonly string[]>>;

/** What an error carries besides its code and message. */
export interface OciErrorOptions extends ErrorOptions {
  /** HTTP status, where the code's usual one does not fit. */
  readonly status?: number;
  /** Headers of the answer; a list is that many headers. */
  readonly headers?: ErrorHeaders;
  /** The spec's `detail`: any JSON value. */
  readonly detail?: unknown;
}

/** A request that cannot be served, in the spec's words. Its message goes to the client. */
export class OciError extends Error {
  readonly code: OciErrorCode;
  readonly status: number;
  readonly headers: ErrorHeaders;
  readonly detail: unknown;

  constructor(code: OciErrorCode, message: string, options: OciErrorOptions = {}) {
    super(message, options);
    this.name = "OciError";
    this.code = code;
    this.status = options.status ?? OCI_ERROR_STATUS[code];
    this.headers = options.headers ?? {};
    this.detail = options.detail;
  }
}
