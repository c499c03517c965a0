import { jsonAnswer } from "./answer.ts";

const EXTENSIONS = [
  {
    name: "_catalog",
    url: "https://github.com/opencontainers/distribution-spec/blob/main/extensions/README.md",
    description: "The names of the repositories, in pages",
    endpoints: ["_catalog"],
  },
];

/** `GET /v2/_oci/ext/discover`: what the registry offers beyond the spec (distribution-spec, extensions/_oci.md). */
export function discover(): Promise<Response> {
  return Promise.resolve(jsonAnswer({ extensions: EXTENSIONS }));
}
