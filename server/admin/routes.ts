import { type AuditParts, auditRoutes } from "./audit.ts";
import { type ConfigParts, configRoutes } from "./config.ts";
import { bindingRoutes } from "./bindings.ts";
import { type IdentityParts, identityRoutes } from "./identities.ts";
import { type JobParts, jobRoutes } from "./jobs.ts";
import { manifestRoutes } from "./manifests.ts";
import { meRoutes } from "./me.ts";
import { type OpenapiParts, openapiRoutes } from "./openapi.ts";
import { type PluginParts, pluginRoutes } from "./plugins.ts";
import { ownPasswordRoutes } from "./own_password.ts";
import { policyRoutes } from "./policy.ts";
import { repositoryRoutes } from "./repositories.ts";
import { type RoleParts, roleRoutes } from "./roles.ts";
import type { AdminRoute } from "./route.ts";
import { type StatusParts, statusRoutes } from "./status.ts";
import { tagRoutes } from "./tags.ts";
import { tokenRoutes } from "./tokens.ts";
import { uploadRoutes } from "./uploads.ts";
import { usageRoutes } from "./usage.ts";

/** What the rows of the administration are served from: the parts of each noun. */
export type AdminParts =
  & AuditParts
  & ConfigParts
  & IdentityParts
  & JobParts
  & OpenapiParts
  & PluginParts
  & RoleParts
  & StatusParts;

/**
 * The administration API: rows like those of the distribution spec, behind the same guard. The first row that fits a path
 * counts: of two rows that begin with `<name>` the longer one comes first.
 */
export function adminRoutes(parts: AdminParts): readonly AdminRoute[] {
  const rows: readonly AdminRoute[] = [
    ...openapiRoutes(parts, () => rows),
    ...auditRoutes(parts),
    ...configRoutes(parts),
    ...jobRoutes(parts),
    ...meRoutes(),
    ...pluginRoutes(parts),
    ...policyRoutes(),
    ...statusRoutes(parts),
    ...tokenRoutes(),
    ...identityRoutes(parts),
    ...ownPasswordRoutes(parts),
    ...roleRoutes(parts),
    ...bindingRoutes(parts),
    ...usageRoutes(),
    ...manifestRoutes(),
    ...tagRoutes(),
    ...uploadRoutes(),
    ...repositoryRoutes(),
  ];
  return rows;
}

/** The rows without what they are served from: to be read, not to be called. */
export const ADMIN_ROUTES: readonly AdminRoute[] = adminRoutes({} as AdminParts);
