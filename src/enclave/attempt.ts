/** Something in the enclave that tried to reach what is not declared. */
export interface Attempt {
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  /** The machine that tried. */
  readonly from: string;
  /**
   * `name`: a name was asked that nobody here has. `call`: a connection to, or a datagram for, an address outside.
   * `edge`: another machine of the enclave, without a declared flow.
   */
  readonly kind: 'name' | 'call' | 'edge';
  /** The name that was asked, or that the address was given for. */
  readonly name?: string | undefined;
  /** For `edge` the machine that was meant. */
  readonly to?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  /** `tcp`, `udp`, `icmp`, … */
  readonly protocol: string;
  /** From a TLS ClientHello. */
  readonly serverName?: string | undefined;
  /** From an HTTP request line and Host header: `GET host/path`. */
  readonly request?: string | undefined;
  /** What the first bytes are: `tls`, `http`, `quic`, `ssh`, … or '' where they are nothing we know. */
  readonly speaks?: string | undefined;
  /** The first bytes, at most 64, as hex. */
  readonly firstBytes?: string | undefined;
}

/** `web (npm) -> registry.example.test 198.18.0.1:443/tcp`. */
export function describeAttempt(attempt: Attempt): string {
  const target = attempt.to ?? attempt.serverName ?? attempt.name ?? attempt.address ?? '?';
  const port = attempt.port === undefined ? '' : `:${attempt.port}`;
  const where =
    attempt.kind === 'name' ? 'asked for the name' : attempt.kind === 'edge' ? 'undeclared edge to' : 'called';
  return `${attempt.from} ${where} ${target}${attempt.kind === 'name' ? '' : `${port}/${attempt.protocol}`}`;
}
