/** Where to listen, from `ADDRESS:PORT`. */
export interface Listen {
  readonly host: string;
  readonly port: number;
  readonly isLoopback: boolean;
}

export const DEFAULT_LISTEN = '127.0.0.1:4873';

/** `127.0.0.1:4873`, `[::1]:0`, `localhost:80`, or a port alone, which is on loopback. Undefined where it is none. */
export function parseListen(text: string): Listen | undefined {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):)?(\d{1,5})$/.exec(text.trim());
  if (match === null) return undefined;
  const host = match[1] ?? match[2] ?? '127.0.0.1';
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  const isLoopback = host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
  return { host, port, isLoopback };
}
