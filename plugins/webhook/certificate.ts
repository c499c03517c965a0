import type { ClientCertificate, JsonObject } from "@sreg/contract/identity.ts";

/** A client's certificate in the protocol's words. */
export function certificateFacts(certificate: ClientCertificate): JsonObject {
  return {
    common_names: certificate.commonNames,
    organizations: certificate.organizations,
    dns_names: certificate.dnsNames,
    uris: certificate.uris,
    emails: certificate.emails,
    fingerprint: certificate.fingerprint,
  };
}
