import { printable } from '#kernel';

/**
 * `name`: a name was asked that nobody here has. `call`: a connection to, or a datagram for, an address outside.
 * `edge`: another machine of the enclave, without a declared flow. `socket`: a socket of a kind that leads out of a
 * network namespace (vsock, packet, …), or a Unix socket of the host. `read`: a file that stands where a key would.
 * `write`: a file outside the folders that a program may write to.
 */
export const ATTEMPT_KINDS = ['name', 'call', 'edge', 'socket', 'read', 'write'] as const;
export type AttemptKind = (typeof ATTEMPT_KINDS)[number];

/**
 * What the program was answered. `reset`: its connection was accepted, and reset once its first bytes were known.
 * `refused`: a reset or an ICMP error at once. `unknown-name`: NXDOMAIN. `dropped`: nothing at all. `denied`: an error of
 * the system call. `decoy`: something that looks like what it wanted, and is not. `answered`: a name got an address of
 * the sink, or the answer that there is no record of this type.
 */
export const ATTEMPT_ANSWERS = ['reset', 'refused', 'unknown-name', 'dropped', 'denied', 'decoy', 'answered'] as const;
export type AttemptAnswer = (typeof ATTEMPT_ANSWERS)[number];

/** Something in the enclave that tried to reach what is not declared. Everything in it may come from hostile programs. */
export interface Attempt {
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  /** The machine that tried. */
  readonly from: string;
  readonly kind: AttemptKind;
  /** The name that was asked, or that the address was given for. */
  readonly name?: string | undefined;
  /** For `edge` the machine that was meant. */
  readonly to?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  /** `tcp`, `udp`, `icmp`, …; `dns` for names, `unix`, `abstract`, `vsock`, `packet`, … for sockets, `file` for files. */
  readonly protocol: string;
  /** From a TLS ClientHello, over TCP or QUIC. */
  readonly serverName?: string | undefined;
  /** From an HTTP request line and Host header: `GET host/path`. For a name the record types that were asked. */
  readonly request?: string | undefined;
  /** What the first bytes are: `tls`, `http`, `quic`, `ssh`, `dot`, `doh`, … or '' where they are nothing we know. */
  readonly speaks?: string | undefined;
  /** The first bytes, at most 64, as hex. */
  readonly firstBytes?: string | undefined;
  /** A Unix socket (an abstract one starts with `@`), or a file that was read or written. */
  readonly path?: string | undefined;
  /** Who tried. Absent: not known, which is not the same as nobody. */
  readonly process?: { readonly pid: number; readonly command: string } | undefined;
  /** `NAME@VERSION` of npm, or the Python distribution, that the process worked for. */
  readonly package?: string | undefined;
  readonly answer?: AttemptAnswer | undefined;
  /** Milliseconds that the program was held up, where that was measured. */
  readonly stalledMs?: number | undefined;
  /** Path of the decoy whose content stood in the first bytes: somebody tried to carry it out. */
  readonly leaks?: string | undefined;
  /** How many the attempt stands for, where many of one sort were put together. Absent: one. */
  readonly count?: number | undefined;
}

/** `web called registry.example.test:443/tcp`. Whatever a program chose is escaped. */
export function describeAttempt(attempt: Attempt): string {
  const count = attempt.count === undefined || attempt.count === 1 ? '' : ` (${attempt.count} times)`;
  const leaks = attempt.leaks === undefined ? '' : `, with the content of ${attempt.leaks}`;
  return printable(`${attempt.from}${agent(attempt)} ${deed(attempt)}${leaks}${count}`);
}

function agent({ process, package: name }: Attempt): string {
  const words = [...(name === undefined ? [] : [name]), ...(process === undefined ? [] : [short(process.command)])];
  return words.length === 0 ? '' : ` (${words.join(': ')})`;
}

function deed(attempt: Attempt): string {
  const target = attempt.to ?? attempt.serverName ?? attempt.name ?? attempt.address ?? '?';
  const port = attempt.port === undefined ? '' : `:${attempt.port}`;
  switch (attempt.kind) {
    case 'name':
      return `asked for the name ${target}`;
    case 'edge':
      return `undeclared edge to ${target}${port}/${attempt.protocol}`;
    case 'call':
      return `called ${target}${port}/${attempt.protocol}`;
    case 'socket':
      return attempt.path === undefined
        ? `opened a socket of family ${attempt.protocol}`
        : `connected to the socket ${attempt.path}`;
    case 'read':
      return `read ${attempt.path ?? '?'}`;
    case 'write':
      return `wrote to ${attempt.path ?? '?'}`;
  }
}

function short(command: string): string {
  return command.length > 80 ? `${command.slice(0, 79)}…` : command;
}
