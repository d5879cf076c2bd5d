import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import { BlockList, isIP } from "node:net";
import { AppError } from "../errors.ts";

/** Everything that is not the public internet: this machine, the home, the provider's inside, and what is reserved. */
const notPublic = { ipv4: new BlockList(), ipv6: new BlockList() };
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const) {
  notPublic.ipv4.addSubnet(network, prefix, "ipv4");
}
// Of IPv6 only 2000::/3 is given out; of that, addresses that carry an IPv4 one or lead nowhere.
for (const [network, prefix] of [
  ["::", 3],
  ["4000::", 2],
  ["8000::", 1],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
] as const) {
  notPublic.ipv6.addSubnet(network, prefix, "ipv6");
}

/** Whether an address, as text, lies in the public internet. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  const family = version === 6 ? "ipv6" : "ipv4";
  return !notPublic[family].check(address, family);
}

/** What a host may be asked for. */
export interface HostRules {
  /** Hosts at home, as `host` or `host:port`: they may have private addresses and be asked without TLS. */
  readonly allowHosts: readonly string[];
}

/** Throws `address_refused` with the reason where nothing may be fetched from there. Names are resolved later. */
export function refuseAddress(url: URL, rules: HostRules): void {
  if (isExcepted(url, rules)) {
    if (url.protocol === "https:" || url.protocol === "http:") return;
    throw refused(url, `${url.protocol} is not http or https`);
  }
  if (url.protocol !== "https:") throw refused(url, `it is not https${hint(url)}`);
  if (url.username !== "" || url.password !== "") throw refused(url, "it holds a user name or a password");
  const bare = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(bare) !== 0 && !isPublicAddress(bare)) throw refused(url, privateReason(bare, url));
}

export function isExcepted(url: URL, { allowHosts }: HostRules): boolean {
  const host = url.hostname.toLowerCase();
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  return allowHosts.some((allowed) => {
    const wanted = allowed.toLowerCase();
    return wanted === host || wanted === `${host}:${port}` || wanted === `[${host}]`;
  });
}

type LookupDone = (
  error: NodeJS.ErrnoException | null,
  addresses: LookupAddress[] | string,
  family?: number,
) => void;

/**
 * A resolver for sockets: what it looked at is what is connected to, so a name cannot be public when it is checked
 * and private when it is used.
 */
export function lookupPublic(host: string, options: LookupOptions, done: LookupDone): void {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return done(error, []);
    const inside = addresses.find(({ address }) => !isPublicAddress(address));
    if (inside !== undefined) {
      return done(refused(new URL(`https://${host}`), privateReason(inside.address)), []);
    }
    if (options.all === true) return done(null, addresses);
    const [first] = addresses;
    done(null, first?.address ?? "", first?.family);
  });
}

export function refused(url: URL, reason: string): AppError {
  // What is behind the host may be a key.
  return new AppError("address_refused", `Nothing is fetched from ${url.protocol}//${url.host}: ${reason}`, {
    details: { host: url.host },
  });
}

function privateReason(address: string, url?: URL): string {
  return `${address} is an address of this machine or its network${url === undefined ? "" : hint(url)}`;
}

function hint(url: URL): string {
  return ` (a host at home can be named in fetch.allow_hosts: ${url.host})`;
}
