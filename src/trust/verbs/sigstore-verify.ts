import { resolve } from 'node:path';
import { type Implementation, printable } from '#kernel';
import { trustFault } from '../faults.ts';
import type { SigstoreVerifyInput, SigstoreVerifyOutput } from '../operations.ts';
import { type SigstoreSigner, verifySigstoreBundle } from '../sigstore.ts';

const ARTIFACT_LIMIT = 2 * 1024 ** 3;
const DOCUMENT_LIMIT = 32 * 1024 * 1024;

export const sigstoreVerifyVerb: Implementation<SigstoreVerifyInput, SigstoreVerifyOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    const { key, identity, issuer } = input;
    const read = async (name: string, limit: number): Promise<Uint8Array> => {
      const path = resolve(cwd, name);
      if ((await files.look(path)) === undefined)
        throw trustFault('trust.sigstore-usage', { where: path, detail: 'It does not exist.' });
      return files.read(path, limit);
    };
    const trustedRoot = input.trustedRoot === undefined ? undefined : await read(input.trustedRoot, DOCUMENT_LIMIT);
    let signer: SigstoreSigner;
    if (key !== undefined && identity === undefined) {
      const pem = Buffer.from(await read(key, 64 * 1024)).toString('utf8');
      signer = { key: pem, ...(trustedRoot === undefined ? {} : { trustedRoot }) };
    } else if (key === undefined && identity !== undefined && issuer !== undefined && trustedRoot !== undefined) {
      signer = { identity, issuer, trustedRoot };
    } else throw trustFault('trust.sigstore-usage', { where: '--key, --identity' });
    const bundle = await read(input.bundle, DOCUMENT_LIMIT);
    const { verdict, reasons } = verifySigstoreBundle(bundle, await read(input.artifact, ARTIFACT_LIMIT), signer);
    return { verdict, reasons: [...reasons] };
  },
  exit: ({ verdict }) => (verdict === 'verified' ? 0 : 1),
  show: ({ verdict, reasons }, style) =>
    [
      verdict === 'verified' ? style.good(verdict) : style.bad(verdict),
      ...reasons.map(({ code, detail }) => `  ${style.bold(code)}: ${printable(detail)}`),
    ].join('\n'),
};
