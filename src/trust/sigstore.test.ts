import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { type SigstoreSigner, verifySigstoreBundle } from './sigstore.ts';

const suite = join(import.meta.dirname, '../../../shared/data/sigstore-bundles');
const skip = existsSync(suite) ? false : 'the public test data does not lie beside the repository';

/** The identity and issuer that the suite means where a case names none, from its own page. */
function defaults(): { identity: string; issuer: string } {
  const page = readFileSync(join(suite, 'README.md'), 'utf8');
  const word = (file: string): string =>
    new RegExp(`\\* \`${file}\`:[^\\n]*"(https?:[^"]+)"`).exec(page)?.[1] ?? assert.fail(`no default of ${file}`);
  return { identity: word('identity'), issuer: word('issuer') };
}

/** The root of the public instance, as @sigstore/tuf ships it for its first start. */
function publicRoot(): Uint8Array {
  const seeds = createRequire(import.meta.url)('@sigstore/tuf/seeds.json') as Record<
    string,
    { targets: Record<string, string> }
  >;
  return Buffer.from(Object.values(seeds)[0]?.targets['trusted_root.json'] ?? '', 'base64');
}

function caseAt(name: string) {
  const read = (file: string): Buffer | undefined => {
    const path = join(suite, name, file);
    return existsSync(path) ? readFileSync(path) : undefined;
  };
  const trustedRoot = read('trusted_root.json');
  const key = read('key.pub')?.toString();
  return {
    bundle: read('bundle.sigstore.json')!,
    artifact: read('artifact') ?? readFileSync(join(suite, 'a.txt')),
    signer:
      key === undefined
        ? {
            identity: read('identity')?.toString().trim() ?? defaults().identity,
            issuer: read('issuer')?.toString().trim() ?? defaults().issuer,
            trustedRoot: trustedRoot ?? publicRoot(),
          }
        : { key, ...(trustedRoot === undefined ? {} : { trustedRoot }) },
  };
}

test('every bundle of the sigstore conformance suite is judged as it says', { skip }, () => {
  const names = readdirSync(suite).filter((name) => existsSync(join(suite, name, 'bundle.sigstore.json')));
  assert.ok(names.length >= 33, `${names.length} cases`);
  for (const name of names) {
    const { bundle, artifact, signer } = caseAt(name);
    const { verdict, reasons } = verifySigstoreBundle(bundle, artifact, signer);
    const expected = name.endsWith('_fail') ? 'unverified' : 'verified';
    assert.equal(verdict, expected, `${name}: ${reasons.map(({ code, detail }) => `${code} ${detail}`).join()}`);
  }
});

test('what holds for one artifact, identity or key holds for no other', { skip }, () => {
  const good = caseAt('rekor2-dsse-happy-path');
  const code = (
    over: Partial<Record<'bundle' | 'artifact', Uint8Array>> & { signer?: SigstoreSigner },
  ): string | undefined =>
    verifySigstoreBundle(over.bundle ?? good.bundle, over.artifact ?? good.artifact, over.signer ?? good.signer)
      .reasons[0]?.code;
  assert.equal(code({}), undefined);
  assert.equal(code({ artifact: Buffer.from('another artifact') }), 'trust.sigstore-subject');
  assert.ok('identity' in good.signer);
  const signer = good.signer as { identity: string; issuer: string; trustedRoot: Uint8Array };
  // A pattern of the identity must not be more than the identity: its dots are dots.
  assert.equal(code({ signer: { ...signer, identity: signer.identity.replace('.com', 'xcom') } }), 'trust.sigstore');
  assert.equal(code({ signer: { ...signer, identity: signer.identity.slice(0, -4) } }), 'trust.sigstore');
  assert.equal(code({ signer: { ...signer, issuer: 'https://issuer.example.test' } }), 'trust.sigstore');
  assert.equal(code({ signer: { ...signer, trustedRoot: Buffer.from('[]') } }), 'trust.sigstore-root');
  const text = good.bundle.toString();
  assert.equal(code({ bundle: Buffer.from(text.replace('{', '{"mediaType":"x",')) }), 'trust.sigstore-malformed');
  assert.equal(code({ bundle: Buffer.from('{}') }), 'trust.sigstore');
});
