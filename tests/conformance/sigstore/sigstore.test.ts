import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { bundleFromJSON } from '@sigstore/bundle';
import { toSignedEntity, Verifier } from '@sigstore/verify';
import { toolsFolder } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';
import { sallyport } from '../../scripts/sallyport.ts';

// Signatures of ours as Sigstore bundles, judged by code that is not ours: @sigstore/verify, which knows no P-384 by
// hint, and cosign, which knows no ML-DSA. Between them they judge every algorithm.

const COSIGN = '3.1.3';
/** Six minutes of work for two cores that have nothing of it yet. */
const BUILDING = 10 * 60_000;

interface Ran {
  readonly code: number | string;
  readonly out: string;
}

function program(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((done) => {
    const options = { timeout: BUILDING, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
    execFile(command, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.killed === true ? 'killed' : (error.code ?? 'failed');
      done({ code, out: `${stdout}${stderr}` });
    });
  });
}

/** cosign, built by the Go client at its first use, into the user's cache; or why there is none. */
async function cosign(): Promise<{ readonly path: string } | { readonly reason: string }> {
  const folder = join(toolsFolder(process.env), `test-cosign-${COSIGN}`);
  const path = join(folder, 'cosign');
  if (existsSync(path)) return { path };
  if ((await program('go', ['version'])).code !== 0) return { reason: 'no Go on this machine to build it' };
  // Into a folder of its own: a build that is cut short leaves no program.
  const work = `${folder}.${process.pid}`;
  const module = `github.com/sigstore/cosign/v3/cmd/cosign@v${COSIGN}`;
  const made = await program('go', ['install', '-trimpath', '-ldflags=-s -w', module], { GOBIN: work });
  if (made.code !== 0) {
    await rm(work, { recursive: true, force: true });
    const why = made.code === 'killed' ? 'not built within ten minutes' : made.out.trim().split('\n').at(-1);
    return { reason: `its Go module could not be built: ${why}` };
  }
  await rm(folder, { recursive: true, force: true });
  await rename(work, folder);
  return { path };
}

/** A bundle that holders with these algorithms sealed, and the Sigstore bundles of their signatures. */
async function sealedBy(t: TestContext, algorithms: readonly string[]) {
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

  return { folder, sealed };
}

test('each signature of a seal is a Sigstore bundle that @sigstore/verify accepts, and no other', async (t) => {
  const algorithms = ['ed25519', 'ecdsa-p256', 'ml-dsa-65', 'ml-dsa-87'];
  const { folder, sealed } = await sealedBy(t, algorithms);
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

test('cosign verifies the same bundles, with P-384, and no other', async (t) => {
  const judge = await cosign();
  if ('reason' in judge) return t.skip(skipped('cosign', judge.reason));
  used('cosign', COSIGN, 'Go module');
  const algorithms = ['ed25519', 'ecdsa-p256', 'ecdsa-p384'];
  const { folder, sealed } = await sealedBy(t, algorithms);
  await program('tar', ['-xf', join(folder, 'one'), '-C', folder]);
  const index = join(folder, 'sallyport-bundle', 'index.jsonl');
  const verify = async (bundle: string, key: string, blob: string, algorithm: string): Promise<Ran> => {
    const digest = algorithm === 'ecdsa-p384' ? 'sha384' : 'sha256';
    const args = ['--bundle', bundle, '--key', key, '--insecure-ignore-tlog', '--signature-digest-algorithm', digest];
    return program(judge.path, ['verify-blob', ...args, blob], { HOME: folder });
  };
  const other = join(folder, 'other');
  await writeFile(other, 'not the index\n');
  for (const [position, algorithm] of algorithms.entries()) {
    const half = JSON.parse(await readFile(join(folder, `${algorithm}.key.pub.json`), 'utf8')) as {
      keyid: string;
      public: string;
    };
    const key = join(folder, `${algorithm}.pem`);
    const object = createPublicKey({ key: Buffer.from(half.public, 'base64'), format: 'der', type: 'spki' });
    await writeFile(key, object.export({ format: 'pem', type: 'spki' }));
    const path = (sealed.sigstore as string[]).find((one) => one.includes(half.keyid.slice(0, 16))) ?? '';
    const good = await verify(path, key, index, algorithm);
    assert.deepEqual([good.code, /Verified OK/.test(good.out)], [0, true], `${algorithm}: ${good.out}`);
    assert.notEqual((await verify(path, key, other, algorithm)).code, 0, `${algorithm}: another blob`);
    const next = (sealed.sigstore as string[]).find((one) => one !== path) ?? '';
    assert.notEqual(
      (await verify(next, key, index, algorithm)).code,
      0,
      `${algorithm}: the signature of somebody else`,
    );
    const bundle = JSON.parse(await readFile(path, 'utf8')) as { dsseEnvelope: { signatures: { sig: string }[] } };
    const [signature] = bundle.dsseEnvelope.signatures;
    assert.ok(signature !== undefined);
    const bytes = Buffer.from(signature.sig, 'base64');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    signature.sig = bytes.toString('base64');
    const forged = join(folder, `forged.${position}.json`);
    await writeFile(forged, JSON.stringify(bundle));
    assert.notEqual((await verify(forged, key, index, algorithm)).code, 0, `${algorithm}: one bit of the signature`);
  }
});
