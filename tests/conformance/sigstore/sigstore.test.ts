import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import { temporaryFolder } from '#system/testing';
import { sallyport } from '../../scripts/sallyport.ts';

// Signatures of ours as Sigstore bundles, judged by @sigstore/verify: code that is not ours. It knows no P-384 by hint,
// so that a holder's P-384 signature is left to other verifiers.

test('each signature of a seal is a Sigstore bundle that @sigstore/verify accepts, and no other', async (t) => {
  const folder = await temporaryFolder(t);
  const run = async (command: string) => {
    const ran = await sallyport(folder, [...command.split(' '), '--json']);
    assert.equal(ran.code, 0, `${command}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'files', 'note.txt'), 'signed\n');
  const target = '{ os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }';
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: sigstore\nchannel: main\ntargets:\n  linux-amd64: ${target}\ninputs:\n  - files: files\n`,
  );
  await run('init --home out --site low');
  await run('capture --home out');
  const algorithms = ['ed25519', 'ecdsa-p256', 'ml-dsa-65', 'ml-dsa-87'];
  const add: string[] = [];
  const roles: string[] = [];
  for (const algorithm of algorithms) {
    await run(`trust key new ${algorithm}.key --holder ${algorithm} --algorithm ${algorithm}`);
    add.push(`--add ${algorithm}.key.pub.json`);
    roles.push(`--role ${algorithm}=sealer`);
  }
  await run(`trust propose --home out -o two ${add.join(' ')} ${roles.join(' ')}`);
  await run('trust sign two --key out/keys/sealer.key');
  await run('trust accept two --home out');
  const keys = algorithms.map((algorithm) => `--key ${algorithm}.key`).join(' ');
  const sealed = await run(`seal -o one --home out ${keys} --sigstore signatures`);
  assert.equal(sealed.sigstore.length, algorithms.length);
  assert.equal((await readdir(join(folder, 'signatures'))).length, algorithms.length);

  const known = new Map<string, ReturnType<typeof createPublicKey>>();
  for (const algorithm of algorithms) {
    const half = JSON.parse(await readFile(join(folder, `${algorithm}.key.pub.json`), 'utf8')) as {
      keyid: string;
      public: string;
    };
    const key = createPublicKey({ key: Buffer.from(half.public, 'base64'), format: 'der', type: 'spki' });
    known.set(half.keyid, key);
  }
  const verifier = new Verifier(
    {
      certificateAuthorities: [],
      timestampAuthorities: [],
      tlogs: [],
      ctlogs: [],
      publicKey(hint: string) {
        const publicKey = known.get(hint);
        if (publicKey === undefined) throw new Error(`no key ${hint}`);
        return { publicKey, validFor: () => true };
      },
    },
    { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 },
  );
  const judge = (text: string): void => {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(text))));
  };
  for (const path of sealed.sigstore as string[]) {
    const text = await readFile(path, 'utf8');
    judge(text);
    const bundle = JSON.parse(text) as {
      dsseEnvelope: { payload: string; signatures: { sig: string }[] };
      verificationMaterial: { publicKey: { hint: string } };
    };
    assert.equal(bundle.dsseEnvelope.signatures.length, 1);
    const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString('utf8')) as {
      subject: { digest: { sha256: string } }[];
    };
    assert.equal(`sha256:${statement.subject[0]?.digest.sha256}`, sealed.bundle.index);
    const other = structuredClone(bundle);
    other.dsseEnvelope.payload = Buffer.from('{"_type":"other"}').toString('base64');
    assert.throws(() => judge(JSON.stringify(other)), /signature/i, 'another payload');
    const stranger = structuredClone(bundle);
    stranger.verificationMaterial.publicKey.hint = [...known.keys()].find(
      (hint) => hint !== bundle.verificationMaterial.publicKey.hint,
    )!;
    assert.throws(() => judge(JSON.stringify(stranger)), 'the key of somebody else');
  }
});
