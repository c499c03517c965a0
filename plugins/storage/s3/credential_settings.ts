import { type OptionName, readFile, readUrl, readWord, refused, type S3Options } from "./options.ts";

/** Where the keys come from. */
export type CredentialSettings =
  | {
    readonly from: "static";
    readonly accessKeyId: string;
    readonly secretKey: string;
    readonly sessionToken?: string;
  }
  | { readonly from: "file"; readonly path: string; readonly profile: string }
  | {
    readonly from: "web-identity";
    readonly roleArn: string;
    readonly tokenPath: string;
    readonly stsEndpoint: URL;
  };

/** The options that each source needs, and those that it may have besides. */
const OPTIONS = {
  static: [["access_key_id"], ["secret_key", "secret_key_file", "session_token"]],
  environment: [[], []],
  file: [["credentials_file"], ["profile"]],
  "web-identity": [["role_arn", "web_identity_token_file", "sts_endpoint"], []],
} as const satisfies Record<S3Options["credentials"], readonly (readonly OptionName[])[]>;

/** Checks where the keys come from. Throws with what is missing, and with what another source would have. */
export function readCredentials(options: S3Options): CredentialSettings {
  const { credentials: from } = options;
  refuseOthers(options);
  const need = (option: OptionName) => {
    const value = options[option];
    if (typeof value !== "string") throw refused(option, `credentials = ${JSON.stringify(from)} needs it`);
    return value;
  };
  switch (from) {
    case "static":
      return {
        from,
        accessKeyId: readWord("access_key_id", need("access_key_id")),
        secretKey: readSecret(options),
        ...(options.session_token !== undefined && {
          sessionToken: readWord("session_token", options.session_token),
        }),
      };
    case "environment":
      return { from: "static", ...readEnvironment() };
    case "file":
      return { from, path: need("credentials_file"), profile: options.profile ?? "default" };
    case "web-identity":
      return {
        from,
        roleArn: need("role_arn"),
        tokenPath: need("web_identity_token_file"),
        stsEndpoint: readUrl("sts_endpoint", need("sts_endpoint")),
      };
  }
}

function refuseOthers(options: S3Options): void {
  const allowed: readonly OptionName[] = OPTIONS[options.credentials].flat();
  for (const [from, names] of Object.entries(OPTIONS)) {
    const other = names.flat().find((name) => options[name] !== undefined && !allowed.includes(name));
    if (other !== undefined) throw refused(other, `it needs credentials = ${JSON.stringify(from)} beside it`);
  }
}

function readSecret({ secret_key, secret_key_file }: S3Options): string {
  if (secret_key !== undefined && secret_key_file !== undefined) {
    throw refused("secret_key_file", "secret_key is set already, and only one of them can be");
  }
  if (secret_key_file === undefined) {
    if (secret_key === undefined) throw refused("secret_key", "access_key_id needs it");
    return secret_key;
  }
  const text = new TextDecoder().decode(readFile("secret_key_file", secret_key_file)).trim();
  if (text === "") throw refused("secret_key_file", `${secret_key_file} is empty`);
  return text;
}

/** The names are those of AWS's own programs; `plugin.toml` asks for them where they are used. */
function readEnvironment() {
  const read = (name: string) => {
    const text = Deno.env.get(name);
    return text && readWord("credentials", text, name);
  };
  const accessKeyId = read("AWS_ACCESS_KEY_ID");
  const secretKey = read("AWS_SECRET_ACCESS_KEY");
  const sessionToken = read("AWS_SESSION_TOKEN");
  if (!accessKeyId || !secretKey) {
    throw refused(
      "credentials",
      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both in the environment",
    );
  }
  return { accessKeyId, secretKey, ...(sessionToken && { sessionToken }) };
}
