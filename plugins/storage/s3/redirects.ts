import { BlockList, isIP } from "node:net";
import { PluginError } from "../../contract/error.ts";

/** Which clients are sent to the store. */
export interface RedirectSettings {
  /** `true`: all; `false`: none; `"external"`: those whose address is of the open internet. */
  readonly redirect: boolean | "external";
  /** The addresses and ranges whose clients are sent there in any case. */
  readonly networks: readonly string[];
}

/** Whether the client with an address is sent to the store; without one only where all are. */
export type RedirectRule = (client?: string) => boolean;

/** Addresses that mean something only within a network: private, shared, loopback, link-local (RFC 6890) and unique local (RFC 4193). */
const INTERNAL_NETWORKS = [
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "::1",
  "fc00::/7",
  "fe80::/10",
];

/** The rule that settings make. Throws where one of the networks is none. */
export function redirectRule({ redirect, networks }: RedirectSettings): RedirectRule {
  const sent = networksOf(networks);
  const internal = networksOf(INTERNAL_NETWORKS);
  return (client) => {
    if (redirect === true) return true;
    const [address = ""] = client?.split("%") ?? [];
    if (isIP(address) === 0) return false;
    return isWithin(sent, address) || (redirect === "external" && !isWithin(internal, address));
  };
}

function networksOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) addNetwork(list, network);
  return list;
}

function addNetwork(list: BlockList, network: string): void {
  const [, address = "", bits] = /^([^/]+)(?:\/([0-9]{1,3}))?$/.exec(network) ?? [];
  const version = isIP(address);
  const bitsMax = version === 6 ? 128 : 32;
  if (version === 0 || Number(bits ?? 0) > bitsMax) {
    throw new PluginError(
      "failed",
      `Cannot use redirect_networks: expected an IP address or a range such as "10.0.0.0/8", found ${
        JSON.stringify(network)
      }`,
    );
  }
  list.addSubnet(address, Number(bits ?? bitsMax), familyOf(address));
}

/** An address of IPv4 in the form of IPv6 counts as what it is (RFC 4291, section 2.5.5.2): the list sees to it. */
function isWithin(list: BlockList, address: string): boolean {
  return list.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
