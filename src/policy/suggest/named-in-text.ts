/** A host that a text names, as far as the text says it. */
export interface NamedHost {
  readonly host: string;
  readonly port?: number;
}

/** Ports that clients take where an address has a scheme and no port. */
const SCHEMES: Readonly<Record<string, number>> = {
  http: 80,
  https: 443,
  ws: 80,
  wss: 443,
  grpc: 80,
  amqp: 5672,
  amqps: 5671,
  kafka: 9092,
  ldap: 389,
  ldaps: 636,
  memcached: 11211,
  mongodb: 27017,
  mysql: 3306,
  mariadb: 3306,
  nats: 4222,
  postgres: 5432,
  postgresql: 5432,
  redis: 6379,
  rediss: 6379,
  smtp: 25,
};
const HOST = '[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?';

/** Hosts with ports in a text: `https://api:8443/v1`, `jdbc:postgresql://db/x`, `db:5432,db2:5432`, `api.shop.svc`. */
export function hostsNamedIn(text: string): NamedHost[] {
  if (text.length > 10_000) return [];
  const found: NamedHost[] = [];
  for (const [, scheme = '', rest = ''] of text.matchAll(/([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^\s/?#'"]+)/g)) {
    // What stands before @ is for the server to know.
    for (const part of rest.slice(rest.lastIndexOf('@') + 1).split(',')) {
      const named = hostIn(part);
      if (named === undefined) continue;
      const port = named.port ?? SCHEMES[scheme.toLowerCase().split('+')[0]!];
      found.push(port === undefined ? named : { ...named, port });
    }
  }
  if (found.length > 0) return found;
  const parts = text.trim().split(/[\s,;]+/);
  return parts.map(hostIn).filter((one) => one !== undefined);
}

function hostIn(text: string): NamedHost | undefined {
  const match = new RegExp(`^(${HOST})(?::(\\d{1,5}))?$`).exec(text);
  if (match === null) return undefined;
  const port = Number(match[2]);
  return port >= 1 && port <= 65535 ? { host: match[1]!.toLowerCase(), port } : { host: match[1]!.toLowerCase() };
}
