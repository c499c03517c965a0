import { type Route, route } from "../api/route.ts";
import * as policy from "./policy.ts";
import * as tokens from "./tokens.ts";

/** The administration API: rows like those of the distribution spec, behind the same guard. */
export const ADMIN_ROUTES: readonly Route[] = [
  route("GET HEAD", "/admin/v1/me/tokens", { action: "own-tokens", endpoint: tokens.listOwn }),
  route("POST", "/admin/v1/me/tokens", { action: "own-tokens", endpoint: tokens.createOwn }),
  route("POST", "/admin/v1/me/tokens/<token>/rotate", { action: "own-tokens", endpoint: tokens.rotateOwn }),
  route("DELETE", "/admin/v1/me/tokens/<token>", { action: "own-tokens", endpoint: tokens.revokeOwn }),

  route("POST", "/admin/v1/policy/decide", { action: "admin.explain-policy", endpoint: policy.decide }),

  route("GET HEAD", "/admin/v1/tokens", { action: "admin.list-tokens", endpoint: tokens.list }),
  route("POST", "/admin/v1/tokens", { action: "admin.create-token", endpoint: tokens.create }),
  route("POST", "/admin/v1/tokens/<token>/rotate", { action: "admin.rotate-token", endpoint: tokens.rotate }),
  route("DELETE", "/admin/v1/tokens/<token>", { action: "admin.revoke-token", endpoint: tokens.revoke }),
];
