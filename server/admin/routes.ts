import { bindingRoutes } from "./bindings.ts";
import { type IdentityParts, identityRoutes } from "./identities.ts";
import { type JobParts, jobRoutes } from "./jobs.ts";
import { meRoutes } from "./me.ts";
import { ownPasswordRoutes } from "./own_password.ts";
import { policyRoutes } from "./policy.ts";
import { type RoleParts, roleRoutes } from "./roles.ts";
import type { AdminRoute } from "./route.ts";
import { tokenRoutes } from "./tokens.ts";

/** What the rows of the administration are served from: the parts of each noun. */
export type AdminParts = JobParts & IdentityParts & RoleParts;

/**
 * The administration API: rows like those of the distribution spec, behind the same guard. The first row that fits a path
 * counts: of two rows that begin with `<name>` the longer one comes first.
 */
export function adminRoutes(parts: AdminParts): readonly AdminRoute[] {
  return [
    ...jobRoutes(parts),
    ...meRoutes(),
    ...policyRoutes(),
    ...tokenRoutes(),
    ...identityRoutes(parts),
    ...ownPasswordRoutes(parts),
    ...roleRoutes(parts),
    ...bindingRoutes(parts),
  ];
}

/** The rows without what they are served from: to be read, not to be called. */
export const ADMIN_ROUTES: readonly AdminRoute[] = adminRoutes({} as AdminParts);
