import { TOKEN_PATH } from "../access/challenges.ts";
import * as blobs from "./blobs.ts";
import * as catalog from "./catalog.ts";
import * as extensions from "./extensions.ts";
import * as manifests from "./manifests.ts";
import * as referrers from "./referrers.ts";
import { type Route, route } from "./route.ts";
import * as tags from "./tags.ts";
import * as tokens from "./tokens.ts";
import * as uploads from "./uploads.ts";
import * as version from "./version.ts";

/**
 * The spec's table of endpoints (distribution-spec, "Endpoints"). The first row that fits a path is the one that
 * counts. No endpoint is reached but by a row, and no row without its action's being allowed.
 */
export const ROUTES: readonly Route[] = [
  route("GET HEAD", "/v2/", { action: "get-api-version", endpoint: version.get }),
  route("GET HEAD", "/v2/_catalog", { action: "list-catalog", endpoint: catalog.list }),
  route("GET HEAD", "/v2/tags/list", { action: "list-catalog", endpoint: catalog.listTags }),
  route("GET HEAD", "/v2/_oci/ext/discover", { action: "get-api-version", endpoint: extensions.discover }),

  route("POST", "/v2/<name>/blobs/uploads/", { action: "start-upload", endpoint: uploads.start }),
  route("GET HEAD", "/v2/<name>/blobs/uploads/<upload>", { action: "get-upload", endpoint: uploads.status }),
  route("PATCH", "/v2/<name>/blobs/uploads/<upload>", { action: "update-upload", endpoint: uploads.append }),
  route("PUT", "/v2/<name>/blobs/uploads/<upload>", { action: "complete-upload", endpoint: uploads.finish }),
  route("DELETE", "/v2/<name>/blobs/uploads/<upload>", { action: "cancel-upload", endpoint: uploads.cancel }),

  route("GET HEAD", "/v2/<name>/blobs/<digest>", { action: "get-blob", endpoint: blobs.get }),
  route("DELETE", "/v2/<name>/blobs/<digest>", { action: "delete-blob", endpoint: blobs.remove }),

  route("GET HEAD", "/v2/<name>/manifests/<reference>", { action: "get-manifest", endpoint: manifests.get }),
  route("PUT", "/v2/<name>/manifests/<reference>", {
    action: "put-manifest",
    endpoint: manifests.put,
    tags: manifests.pushedTags,
  }),
  route("DELETE", "/v2/<name>/manifests/<reference>", {
    action: "delete-manifest",
    endpoint: manifests.remove,
  }),

  route("GET HEAD", TOKEN_PATH, { action: "get-token", endpoint: tokens.get }),
  route("POST", TOKEN_PATH, { action: "get-token", endpoint: tokens.post }),
  route("GET HEAD", `${TOKEN_PATH}/keys`, { action: "get-token", endpoint: tokens.keys }),

  route("GET HEAD", "/v2/<name>/tags/list", { action: "list-tags", endpoint: tags.list }),
  route("GET HEAD", "/v2/<name>/referrers/<digest>", { action: "get-referrers", endpoint: referrers.list }),
];
