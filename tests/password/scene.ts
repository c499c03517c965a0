/** The password plugin behind its wall, as the core calls it. */

import type { Auth, AuthAnswer } from "../../plugins/contract/auth.ts";
import type { PluginOptions } from "../../plugins/contract/plugin.ts";
import { expandPermissions, startPlugin } from "../../server/sandbox/mod.ts";
import { ROOT } from "../support/registry.ts";

/** A password plugin that runs. */
export interface PasswordScene extends AsyncDisposable {
  readonly auth: Auth;
  /** Shows a user name and a password. */
  signIn(username: string, password: string): Promise<AuthAnswer>;
}

/** Starts the plugin with what its `plugin.toml` asks for, and nothing more. */
export async function startPassword(options: PluginOptions): Promise<PasswordScene> {
  const plugin = await startPlugin({
    name: "password",
    kind: "auth",
    folder: `${ROOT}plugins/auth/password`,
    entry: "password.ts",
    isolation: "worker",
    permissions: expandPermissions({ read: ["{htpasswd_file}", "npm:@phi-ag/argon2"] }, options),
    options,
  });
  const auth = plugin.serve("auth");
  return {
    auth,
    signIn: (username, password) =>
      auth.authenticate({
        credential: { scheme: "basic", username, password },
        certificate: null,
        clientAddress: "192.0.2.1",
      }),
    [Symbol.asyncDispose]: () => plugin.close(),
  };
}
