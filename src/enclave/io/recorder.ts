import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Network, NetworkOptions, Route } from '#system';
import type { Attempt } from '../attempt.ts';
import { enclaveFault } from '../faults.ts';
import { javaTrustStore, TRUST_STORE_PASSWORD } from '../java-trust-store.ts';
import type { RecordedRequest } from '../recording.ts';
import { type Enclave, type InsideEnded, type InsideOptions, openEnclave } from './enclave.ts';
import { openExchange, type Permission } from './exchange.ts';

export interface RecorderOptions {
  readonly permission: Permission;
  /** The way out, which is its caller's to give: this context has none. */
  readonly openNetwork: (options: NetworkOptions) => Promise<Network>;
  /** The machine's way to an address: proxies, authorities, credentials. */
  readonly routeFor: (url: URL) => Promise<Route>;
  /** `user-agent` for requests that name none. */
  readonly agent: string;
  /** TCP ports beside 80 and 443 whose connections are recorded. */
  readonly ports?: readonly number[];
  /** Absolute folder of the caller's for files of ours, which every program sees. */
  readonly folder: string;
  /** Absolute folders in which programs may be given places to write to. */
  readonly writable: readonly string[];
  /** Absolute paths that every program sees, to read: its tools. */
  readonly readable?: readonly string[];
  /** Absolute paths of the side's keys: a decoy stands at each, and whoever reads it is told of. */
  readonly keys?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tools: { readonly ip: string; readonly nft: string; readonly runc?: string };
  readonly signal: AbortSignal;
}

/** A place for foreign code with one way out, where every request is performed by us and written down. */
export interface Recorder {
  run(command: string, args: readonly string[], options: InsideOptions): Promise<InsideEnded>;
  /** Every request until now, a chain of redirects as one, in the order of their beginnings. */
  requests(): readonly RecordedRequest[];
  /** Requests beyond those that are kept. */
  unkept(): number;
  /** What was tried beside requests: other ports and protocols, names that nobody then asked anything of. */
  attempts(): Promise<readonly Attempt[]>;
  /** Stops what runs. The authority is gone with it. */
  close(): Promise<void>;
}

const MACHINE = 'prepare';

/** Opens an enclave whose only way out is the recorder. Throws enclave.failed. */
export async function openRecorder(options: RecorderOptions): Promise<Recorder> {
  const trust = join(options.folder, 'trust');
  const stopped = new AbortController();
  let exchange: Awaited<ReturnType<typeof openExchange>> | undefined;
  let enclave: Enclave | undefined;
  const close = async (): Promise<void> => {
    await enclave?.close();
    stopped.abort();
    await exchange?.close();
    await rm(trust, { recursive: true, force: true });
  };
  try {
    await mkdir(trust);
    enclave = await openEnclave({
      machines: [MACHINE],
      flows: [],
      writable: options.writable,
      readable: [...(options.readable ?? []), trust],
      observe: { keys: options.keys ?? [] },
      env: options.env,
      tools: options.tools,
      signal: options.signal,
      recorder: {
        ports: [...new Set([80, 443, ...(options.ports ?? [])])],
        attach: async (channel) => {
          const signal = AbortSignal.any([options.signal, stopped.signal]);
          exchange = await openExchange(channel, { ...options, signal });
        },
      },
    });
    const { authority } = enclave;
    if (exchange === undefined || authority === '') {
      throw enclaveFault('enclave.failed', { detail: 'The recorder did not begin.' });
    }
    const environment = await writeTrust(trust, authority);
    const inside = enclave;
    const { recording, settle } = exchange;
    return {
      run: (command, args, one) => inside.run(MACHINE, command, args, { ...one, env: { ...environment, ...one.env } }),
      requests: () => recording.requests(),
      unkept: () => recording.unkept(),
      async attempts() {
        const all = await inside.attempts();
        await settle(1000);
        // Names are asked for every request too; only those that led to none tell something.
        const reached = new Set(
          recording.requests().flatMap(({ url, redirects }) => [url, ...redirects].map((one) => new URL(one).hostname)),
        );
        return all.filter(
          ({ kind, name, request }) => kind !== 'name' || !isAddressQuestion(request) || !reached.has(name ?? ''),
        );
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A question that every connection begins with; any other type carries something else. */
function isAddressQuestion(request: string | undefined): boolean {
  return (
    request === undefined || request.split(/[ ,]+/).every((type) => type === 'A' || type === 'AAAA' || type === 'HTTPS')
  );
}

/**
 * The certificate for each client in the way that it reads one, and what they do not read is not set. Java has no
 * variable of its own: JAVA_TOOL_OPTIONS is read by every virtual machine.
 */
async function writeTrust(folder: string, certificate: string): Promise<Record<string, string>> {
  const pem = join(folder, 'ca.pem');
  const java = join(folder, 'ca.jks');
  await writeFile(pem, certificate);
  await writeFile(java, javaTrustStore(certificate));
  return {
    SSL_CERT_FILE: pem,
    NODE_EXTRA_CA_CERTS: pem,
    npm_config_cafile: pem,
    PIP_CERT: pem,
    REQUESTS_CA_BUNDLE: pem,
    CURL_CA_BUNDLE: pem,
    GIT_SSL_CAINFO: pem,
    CARGO_HTTP_CAINFO: pem,
    DENO_CERT: pem,
    NIX_SSL_CERT_FILE: pem,
    AWS_CA_BUNDLE: pem,
    JAVA_TOOL_OPTIONS: `"-Djavax.net.ssl.trustStore=${java}" -Djavax.net.ssl.trustStorePassword=${TRUST_STORE_PASSWORD} -Djavax.net.ssl.trustStoreType=JKS`,
  };
}
