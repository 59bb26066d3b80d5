import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastWords } from '#system';
import type { Probe, ProbeAnswer } from '../probe-types.ts';
import type { Enclave, InsideOptions } from './enclave.ts';

/** Asks something from inside a machine: the answer is that of a program which runs there. */
export async function probeFrom(
  enclave: Enclave,
  machine: string,
  probe: Probe,
  options: Pick<InsideOptions, 'cwd' | 'env'>,
): Promise<ProbeAnswer> {
  const here = fileURLToPath(import.meta.url);
  const program = join(dirname(here), '..', `probe${extname(here)}`);
  const product = join(dirname(here), '..', '..', '..');
  const ended = await enclave.run(machine, process.execPath, [program, JSON.stringify(probe)], {
    ...options,
    readable: [program, join(product, 'package.json')],
    writable: [],
    timeout: 60_000,
    keep: 1024 * 1024,
  });
  try {
    return JSON.parse(ended.stdout) as ProbeAnswer;
  } catch {
    return { ok: false, detail: lastWords(ended) };
  }
}
