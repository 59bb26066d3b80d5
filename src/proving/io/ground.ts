import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { debianTools, findProgram, namespacesAllowed, startAgent } from '#system';
import { FAMILIES, type Family } from '#policy';
import { provingFault } from '../faults.ts';
import type { Answer, Listener, Load, PlaceAddresses, Probe, Request, Seen } from '../protocol.ts';

/** The families that the kernel of this machine knows. */
export function kernelFamilies(): readonly Family[] {
  return existsSync('/proc/sys/net/ipv6/conf/all/forwarding') ? FAMILIES : [4];
}

export interface GroundOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** The node first, then the outside (which needs no address), then pods. */
  readonly places: readonly PlaceAddresses[];
}

/** Namespaces in which a kernel enforces policies and probes find out what it lets through. */
export interface Ground {
  readonly kernel: string;
  readonly nft: string;
  readonly ipv6: boolean;
  /** Each text by a call of nft of its own; one text is one change, at once. */
  rules(...texts: readonly string[]): Promise<void>;
  listen(listeners: readonly Listener[]): Promise<void>;
  round(
    probes: readonly Probe[],
    patience: number,
    controls?: number,
  ): Promise<{ readonly seen: readonly Seen[]; readonly milliseconds: number }>;
  load(load: Omit<Request & { do: 'load' }, 'do'>): Promise<Load>;
  close(): Promise<void>;
}

/**
 * Opens a proving ground; it is gone with this process, however this process ends, and nothing of it is in the host's
 * namespaces. Where namespaces are not allowed it is said why. Throws proving.failed.
 */
export async function openGround(options: GroundOptions): Promise<Ground | { readonly forbidden: string }> {
  const { ip, nft } = await debianTools(['ip', 'nft'], { env: options.env, signal: options.signal });
  const allowed = await namespacesAllowed(options.env, { ip: ip.path, nft: nft.path });
  if (!allowed.allowed) return { forbidden: allowed.reason };
  const unshare = (await findProgram('unshare', options.env))!;
  const { running, stdin, stdout, lastWords } = await startAgent(unshare, import.meta.url, {
    env: options.env,
    node: ['--experimental-ffi', '--no-warnings'],
  });
  const waiting: ((answer: Answer) => void)[] = [];
  let gone = false;
  createInterface({ input: stdout, crlfDelay: Infinity }).on('line', (line) =>
    waiting.shift()?.(JSON.parse(line) as Answer),
  );
  const over = running.ended.then(() => {
    gone = true;
    for (const answer of waiting.splice(0))
      answer({ answer: 'failed', detail: lastWords.join('').trim() || 'it has ended' });
  });
  const ask = async <K extends Answer['answer']>(request: Request, kind: K): Promise<Answer & { answer: K }> => {
    options.signal.throwIfAborted();
    const answer = await new Promise<Answer>((resolve) => {
      if (gone) return resolve({ answer: 'failed', detail: lastWords.join('').trim() || 'it has ended' });
      waiting.push(resolve);
      stdin.write(`${JSON.stringify(request)}\n`);
    });
    options.signal.throwIfAborted();
    if (answer.answer === 'failed') throw provingFault('proving.failed', { detail: answer.detail });
    if (answer.answer !== kind) throw new Error(`${answer.answer} where ${kind} was expected`);
    return answer as Answer & { answer: K };
  };
  const close = async (): Promise<void> => {
    options.signal.removeEventListener('abort', abort);
    stdin.end();
    await over;
  };
  // A round is one long call for the agent, which hears nothing meanwhile.
  const abort = (): void => void running.stop();
  options.signal.addEventListener('abort', abort);
  try {
    const {
      kernel,
      nft: version,
      ipv6,
    } = await ask({ do: 'open', ip: ip.path, nft: nft.path, places: options.places }, 'open');
    return {
      kernel,
      nft: version,
      ipv6,
      async rules(...texts) {
        await ask({ do: 'rules', texts }, 'done');
      },
      async listen(listeners) {
        await ask({ do: 'listen', listeners }, 'done');
      },
      async round(probes, patience, controls) {
        const { seen, milliseconds } = await ask(
          { do: 'round', probes, patience, ...(controls === undefined ? {} : { controls }) },
          'round',
        );
        return { seen: [...seen] as Seen[], milliseconds };
      },
      async load(load) {
        return (await ask({ do: 'load', ...load }, 'load')).load;
      },
      close,
    };
  } catch (error) {
    options.signal.removeEventListener('abort', abort);
    await running.stop();
    throw error;
  }
}
