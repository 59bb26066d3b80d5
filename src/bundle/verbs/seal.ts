import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { type Digest, digestFromHex, type Files, hexOf, type Implementation, instantOf, type World } from '#kernel';
import { decodeEnvelope, encodeSigstoreBundle, isProblem, STATEMENT_PAYLOAD_TYPE } from '#formats';
import { homePath, makeFolderDurably, openHome, readIfThere, writeDurably } from '#system';
import {
  delegatesOf,
  keyNames,
  holdersWith,
  inKeyOrder,
  passphrasesOf,
  readPinned,
  readRoots,
  sealersOf,
  signaturesMade,
  signEnvelope,
} from '#trust';
import { formatConsistency, type Ledger, openLedger, understood } from '#ledger';
import { parseLock, readProject } from '#project';
import { openStore } from '#store';
import { checkLines } from '../check-lines.ts';
import { bundleFault } from '../faults.ts';
import { MAX_LOCK_BYTES } from '../layout.ts';
import type { sealInput, sealOutput } from '../operations.ts';
import { SEALED_PREDICATE, type SealStatement } from '../seal-statement.ts';
import { amount, summaryOf } from '../summary.ts';
import { sealBundle, sealFault } from '../writer.ts';

type Output = z.infer<typeof sealOutput>;

export const seal: Implementation<z.infer<typeof sealInput>, Output> = {
  async run(input, world) {
    try {
      return await sealProject(input, world);
    } catch (error) {
      throw sealFault(error, resolve(world.cwd, input.out), world.signal);
    }
  },
  exit: () => 0,
  show(output, style) {
    const { bundle } = output;
    return [
      `${style.good('sealed')} ${output.path} (${amount(output.size)})`,
      `  ${bundle.project}, channel ${bundle.channel}, sequence ${bundle.sequence}, ${bundle.blobs} blobs, ${amount(bundle.bytes)} of content`,
      `  index ${bundle.index}`,
      `  signed by ${output.trust.holders.join(', ')}${output.trust.custody === 'one-person' ? style.warn(' (keys of one person)') : ` (${output.trust.custody})`}`,
      ...(output.trust.enough
        ? []
        : [
            `  ${style.warn('too few signed')}: the root demands ${output.trust.threshold}, each with all their keys; every side refuses this bundle (trust.threshold)`,
          ]),
      `  ledger entry ${output.ledger.index}`,
      `Check it without Sallyport, in an empty folder, with the sealer's public key from another source:`,
      ...output.check.map((line) => `  ${line}`),
    ].join('\n');
  },
};

async function sealProject(input: z.infer<typeof sealInput>, world: World): Promise<Output> {
  const { files, cwd, clock } = world;
  const file = resolve(cwd, input.file ?? 'sallyport.yaml');
  const target = resolve(cwd, input.out);
  const project = await readProject(files, file);
  const home = await openHome(files, homePath(world, { ...(input.home !== undefined && { home: input.home }), file }));
  const lockPath = `${dirname(file)}/sallyport.lock`;
  const lock = await readIfThere(files, lockPath, MAX_LOCK_BYTES);
  if (lock === undefined) throw bundleFault('seal.no-lock', { where: lockPath });
  const { rows } = parseLock(lock, lockPath);
  const signers = await sealersOf(
    files,
    home.path,
    keyNames(cwd, input.key),
    passphrasesOf(world, input.passphraseFile),
    project.channel,
  );
  const own = (await readRoots(files, home.path)).at(-1)?.root;
  const pinned = await readPinned(files, home.path);
  const chain = pinned?.chain ?? (await readRoots(files, home.path));
  const custody = chain.at(-1)?.root.custody ?? 'one-person';
  const judge = chain.at(-1)?.root;
  const keyids = signers.map(({ keyid }) => keyid);
  // Sealers of all channels, or those to whom this one is delegated: each by their own threshold, never together.
  const counts = (['sealer', delegatesOf(project.channel)] as const)
    .filter((role) => judge?.roles.has(role) === true)
    .map((role) => (judge === undefined ? { holders: [], threshold: 1 } : holdersWith(judge, role, keyids)));
  const enough = counts.find(({ holders, threshold }) => holders.length >= threshold);
  const { threshold } = enough ?? counts[0] ?? { threshold: 1 };
  const store = await openStore(files, home);
  world.report({ type: 'step', step: 'seal', title: `Sealing ${project.name}` });
  const ledger = await openLedger(files, home, clock);
  try {
    const { previous, sizes } = await earlierSeals(ledger, project.channel);
    const sealed = instantOf(clock.now());
    const sequence = (previous?.sequence ?? 0) + 1;
    let recorded: Output['ledger'] | undefined;
    const result = await sealBundle({
      files,
      content: store,
      lock,
      rows,
      target,
      about: {
        sealed,
        channel: project.channel,
        sequence,
        project: project.name,
        site: own?.site ?? '',
        destinations: project.destinations,
        rings: project.rings,
        previous,
        tool: { name: 'sallyport', version: world.version },
      },
      async carry(index) {
        const {
          index: entry,
          size,
          root,
        } = await ledger.append({
          predicateType: SEALED_PREDICATE,
          subject: [{ name: 'index.jsonl', digest: { sha256: hexOf(index.digest) } }],
          predicate: {
            channel: project.channel,
            sequence,
            sealed,
            project: project.name,
            destinations: [...project.destinations],
            lock: index.lock,
            blobs: index.blobs.length,
            bytes: index.bytes,
            custody,
            holders: signers.map(({ holder }) => holder),
            signed: signaturesMade(signers),
          },
        });
        recorded = { index: entry, size, root };
        const carried = [
          ...inKeyOrder(signers).map(({ publicKeyPem }, i) => ({
            name: `seal.${i}.pem`,
            bytes: Buffer.from(publicKeyPem, 'utf8'),
          })),
          ...chain.map((kept) => ({ name: `root.${kept.root.version}.dsse.json`, bytes: kept.bytes })),
        ];
        for await (const record of ledger.records(entry)) {
          if (record.index !== entry || record.statement === undefined) break;
          carried.push({ name: 'ledger.statement', bytes: record.statement });
          carried.push({ name: 'ledger.entry', bytes: record.entry });
          carried.push({ name: 'ledger.proof', bytes: await ledger.prove(entry) });
          break;
        }
        const proofs = new Map<number, readonly Uint8Array[]>();
        for (const from of sizes) proofs.set(from, await ledger.proveConsistency(from));
        carried.push({ name: 'ledger.consistency', bytes: formatConsistency(proofs) });
        return carried;
      },
      signers: inKeyOrder(signers).map(({ keyid }) => keyid),
      sign: (payload) => signEnvelope(STATEMENT_PAYLOAD_TYPE, payload, signers),
      report: world.report,
      signal: world.signal,
    });
    if (recorded === undefined) throw new Error('a bundle was sealed that the ledger does not know');
    world.report({ type: 'end', step: 'seal', title: `Sealed ${amount(result.bytes)}`, ok: true });
    return {
      path: target,
      size: result.bytes,
      bundle: summaryOf(result.seal),
      trust: {
        custody,
        holders: [...new Set(signers.map(({ holder }) => holder))],
        keyids: inKeyOrder(signers).map(({ keyid }) => keyid),
        threshold,
        enough: enough !== undefined,
      },
      ledger: recorded,
      check: checkLines(target, 'sealer.pem', result.seal),
      ...(input.sigstore === undefined
        ? {}
        : { sigstore: await writeSigstore(files, resolve(cwd, input.sigstore), result.sealEnvelope) }),
    };
  } finally {
    await ledger.close();
  }
}

/** Each signature of the seal in a file of its own, for verifiers that know Sigstore bundles; named by its key. */
async function writeSigstore(files: Files, folder: string, sealEnvelope: Uint8Array): Promise<string[]> {
  const envelope = decodeEnvelope(sealEnvelope);
  if (isProblem(envelope)) throw new Error(`the seal is no envelope: ${envelope.detail}`);
  await makeFolderDurably(files, folder);
  const written: string[] = [];
  for (const [index, { keyid }] of envelope.signatures.entries()) {
    const path = join(folder, `seal.${keyid.slice(0, 16)}.sigstore.json`);
    await writeDurably(files, path, encodeSigstoreBundle(envelope, index));
    written.push(path);
  }
  return written;
}

/** How many earlier seals a bundle carries consistency proofs from: whoever missed more needs one in between. */
const PROVED = 64;

/** The seal before this one in its channel, and the sizes of the log that others may have seen: each seal carries one. */
async function earlierSeals(
  ledger: Ledger,
  channel: string,
): Promise<{ readonly previous: SealStatement['previous']; readonly sizes: readonly number[] }> {
  let last: { sequence: number; index: Digest } | null = null;
  const sizes: number[] = [];
  for await (const { index, type, happening } of understood(ledger.records())) {
    if (type !== SEALED_PREDICATE || happening === undefined) continue;
    sizes.push(index + 1);
    const { predicate, subject } = happening;
    const { sequence } = predicate;
    const hex = subject[0]?.digest.sha256;
    if (predicate['channel'] !== channel || typeof sequence !== 'number' || hex === undefined) continue;
    if (last === null || sequence > last.sequence) last = { sequence, index: digestFromHex(hex) };
  }
  return { previous: last, sizes: sizes.slice(-PROVED) };
}
