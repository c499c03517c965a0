import type { S3Options } from "../../plugins/storage/s3/settings.ts";

/** What the S3 plugin is told besides where its store is; times and sizes in milliseconds and bytes. */
export const S3_OPTIONS: Omit<S3Options, "endpoint"> = {
  bucket: "bucket",
  region: "us-east-1",
  addressing: "path",
  credentials: "static",
  access_key_id: "the-access-key",
  secret_key: "the-secret-key",
  multipart_min_part_size: 5e6,
  multipart_copy_threshold: 5e9,
  multipart_copy_chunk_size: 1e8,
  multipart_copy_jobs: 4,
  redirect: false,
  url_lifetime: 60_000,
  request_timeout: 5_000,
  stall_timeout: 5_000,
  retry_budget: 5_000,
};
