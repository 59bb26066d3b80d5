import { basename, dirname, join, relative, resolve } from 'node:path';
import {
  errorCode,
  type Files,
  type Implementation,
  instantOf,
  isFault,
  printable,
  type Style,
  type World,
} from '#kernel';
import { decodeEnvelope, isProblem } from '#formats';
import {
  csv,
  type DeclaredFlow,
  flowRow,
  isUseOf,
  type Logged,
  readConnectionLog,
  readFlowSet,
  writeAnswer,
  writingOf,
} from '#policy';
import {
  flowLines,
  flowName,
  type OwnerSignature,
  projectFlow,
  readProject,
  readRegisterPayload,
  REGISTER_PAYLOAD_TYPE,
  type RegisteredFlow,
  type RegisterFinding,
  registerOf,
  registerPayload,
  registerVersion,
  type Use,
} from '#project';
import { homePath, makeFolderDurably, readIfThere, writeDurably } from '#system';
import {
  isRehearsalHome,
  passphrasesOf,
  readPinned,
  readRootFile,
  readRoots,
  roleSigners,
  type Root,
  signEnvelope,
  verifyEnvelope,
} from '#trust';
import { operationsFault } from '../faults.ts';
import type { ReviewInput, ReviewOutput } from '../review.ts';
import { registerPage } from './review-page.ts';

const PROJECT_LIMIT = 1024 * 1024;
const SIGNATURE_LIMIT = 4 * 1024 * 1024;
const OBSERVED_LIMIT = 256 * 1024 * 1024;
const ROLES = ['reviewer', 'approver'] as const;
const LEVELS = ['error', 'warning', 'note'] as const;

export const reviewVerb: Implementation<ReviewInput, ReviewOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    const writing =
      input.output === undefined && input.out === undefined
        ? undefined
        : writingOf(['json', 'csv', 'html'], { output: input.output, out: input.out });
    const path = await projectPath(files, resolve(cwd, input.folder ?? '.'));
    const declared = await declaredFlows(input, world, path);
    const now = timeOf(input.at, world);
    const root = await judgeOf(input, world, path);
    if (input.sign !== undefined) return await sign(input.sign, input, world, declared, root, now);

    const { flows } = declared;
    const { signatures, findings: judged } = await readSignatures(input, world, declared, root, now);
    const uses = await readObserved(input.observed ?? [], world);
    const { rows, findings } = registerOf(flows, signatures, uses, now);
    const all = [...rows.flatMap((row) => row.findings), ...findings, ...judged];
    const level = input.failOn ?? 'error';
    const grave = level === 'never' ? [] : LEVELS.slice(0, LEVELS.indexOf(level) + 1);
    const owners = [...new Set(flows.map(({ flow }) => flow.owner))];
    const result: ReviewOutput = {
      verdict: all.some((one) => grave.includes(one.level)) ? 'findings' : 'in-order',
      project: declared.name,
      at: instantOf(now).slice(0, 10),
      version: registerVersion(flows.map(({ flow }) => flow)),
      register: rows.map(({ flow, where, lastUse, signedBy, findings: own }) => {
        const { reviewBy, content: _, isUse: __, ...rest } = flow;
        return {
          ...rest,
          ...(reviewBy === undefined ? {} : { 'review-by': reviewBy }),
          where,
          ...(lastUse === undefined ? {} : { 'last-use': lastUse }),
          'signed-by': signedBy,
          findings: own.map(({ code }) => code),
        };
      }),
      owners: owners.map((owner) => {
        const own = rows.filter((row) => row.flow.owner === owner);
        const last = signatures
          .filter((one) => one.owner === owner)
          .map(({ signed }) => signed)
          .sort()
          .at(-1);
        return {
          owner,
          flows: own.length,
          signed: own.filter(({ signedBy }) => signedBy.length > 0).length,
          by: [...new Set(own.flatMap(({ signedBy }) => signedBy))],
          ...(last === undefined ? {} : { at: last }),
        };
      }),
      observed: uses !== undefined,
      findings: all.map((one) => ({ ...one })),
      ...(writing === undefined ? {} : { writing }),
    };
    if (writing !== undefined) await writeAnswer(world, writing, () => render(result, PLAIN));
    return result;
  },
  exit: ({ verdict }) => (verdict === 'findings' ? 1 : 0),
  show(result, style) {
    if (result.signature !== undefined) {
      const [owner] = result.owners;
      return `${style.good('signed')} ${owner!.flows} flows of ${printable(owner!.owner)} by ${owner!.by.map(printable).join(', ')}, written to ${printable(result.signature)}`;
    }
    if (result.writing?.file !== undefined) return `${summary(result)}, written to ${printable(result.writing.file)}`;
    return render(result, style);
  },
};

const same = (text: string): string => text;
const PLAIN: Style = { bold: same, dim: same, good: same, bad: same, warn: same, width: 100 };

async function projectPath(files: Files, path: string): Promise<string> {
  return (await files.look(path))?.kind === 'folder' ? join(path, 'sallyport.yaml') : path;
}

/** Noon of a day that was named, so that the day is meant whatever the zone. */
function timeOf(day: string | undefined, { clock }: World): number {
  if (day === undefined) return clock.now();
  const time = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T12:00:00Z`) : Number.NaN;
  if (Number.isNaN(time) || instantOf(time).slice(0, 10) !== day) throw operationsFault('review.day', { where: day });
  return time;
}

/** The root that was named, else the one that the home pinned, else its own; undefined where there is none. */
async function judgeOf(input: ReviewInput, { files, cwd, env }: World, file: string): Promise<Judge | undefined> {
  const home = homePath({ cwd, env }, { ...(input.home === undefined ? {} : { home: input.home }), file });
  const there = (await files.look(home))?.kind === 'folder';
  const rehearsal = there && (await isRehearsalHome(files, home));
  if (input.root !== undefined) return { root: (await readRootFile(files, resolve(cwd, input.root))).root, rehearsal };
  if (!there) return undefined;
  const root = (await readPinned(files, home))?.root ?? (await readRoots(files, home)).at(-1)?.root;
  return root && { root, rehearsal };
}

/** What is under review. */
interface Declared {
  /** Of the project; without one, of the first FlowSet's file. */
  readonly name: string;
  /** Where `reviews/` is looked for. */
  readonly folder: string;
  readonly flows: readonly { readonly flow: RegisteredFlow; readonly where: string }[];
}

async function declaredFlows(input: ReviewInput, { files, cwd }: World, path: string): Promise<Declared> {
  const sets = input.flows ?? [];
  const there = sets.length === 0 || (await files.look(path)) !== undefined;
  const project = there ? await readProject(files, path) : undefined;
  const folder = dirname(path);
  if (sets.length === 0) {
    const lines = flowLines(await files.read(path, PROJECT_LIMIT));
    const flows = project!.flows.map((flow, i) => ({
      flow: projectFlow(flow),
      where: `${basename(path)}:${lines[i] ?? 1}`,
    }));
    return { name: project!.name, folder, flows };
  }
  const values = new Map(
    (input.set ?? []).map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw operationsFault('review.set', { where: text });
      return [text.slice(0, at), text.slice(at + 1)] as const;
    }),
  );
  const flows: { flow: RegisteredFlow; where: string }[] = [];
  for (const file of sets) {
    const bytes = await files.read(resolve(cwd, file), PROJECT_LIMIT);
    const set = readFlowSet(file, bytes, values);
    for (const one of set.flows) flows.push({ flow: setFlow(one), where: one.where });
    // A namespace without default deny is an exception like a flow, with people who answer for it.
    for (const { namespace, reason, owner, where } of set.open) {
      const isUse = ({ from, to }: Logged): false | undefined =>
        from.namespace === namespace || to.namespace === namespace ? undefined : false;
      const flow = { from: `${namespace}/*`, to: 'anything', ports: ['all'], reason, owner };
      flows.push({ flow: { ...flow, isUse, content: { 'open-namespace': namespace } }, where });
    }
  }
  return { name: project?.name ?? basename(sets[0]!), folder, flows };
}

function setFlow(flow: DeclaredFlow): RegisteredFlow {
  const { reason, owner, approver, ticket, reviewBy, expires } = flow;
  const content = flowRow(flow);
  return {
    from: content.from,
    to: content.to,
    ports: content.ports,
    reason,
    owner,
    ...(approver === undefined ? {} : { approver }),
    ...(ticket === undefined ? {} : { ticket }),
    ...(reviewBy === undefined ? {} : { reviewBy }),
    ...(expires === undefined ? {} : { expires }),
    isUse: (use) => isUseOf(flow, use),
    content,
  };
}

interface Judge {
  readonly root: Root;
  readonly rehearsal: boolean;
}

async function sign(
  owner: string,
  input: ReviewInput,
  world: World,
  declared: Declared,
  judge: Judge | undefined,
  now: number,
): Promise<ReviewOutput> {
  const { files, cwd } = world;
  const [target, ...others] = input.signature ?? [];
  if (target === undefined || others.length > 0 || (input.key ?? []).length === 0) {
    throw operationsFault('review.sign-where', { where: '--sign' });
  }
  const flows = declared.flows.map(({ flow }) => flow);
  const own = flows.filter((flow) => flow.owner === owner);
  if (own.length === 0) throw operationsFault('review.no-owner', { where: owner });
  // roleSigners says what is wrong where there is no root.
  const root = judge?.root ?? (await readRootFile(files, resolve(cwd, input.root ?? 'root.1.dsse.json'))).root;
  const keys = input.key!.map((path) => resolve(cwd, path));
  const signers = await roleSigners(files, root, ROLES, keys, passphrasesOf(world, input.passphraseFile));
  const signed = instantOf(now);
  const payload = registerPayload(declared.name, owner, flows, signed);
  const path = resolve(cwd, target);
  await makeFolderDurably(files, dirname(path));
  await writeDurably(files, path, signEnvelope(REGISTER_PAYLOAD_TYPE, payload, signers));
  return {
    verdict: 'signed',
    project: declared.name,
    at: signed.slice(0, 10),
    version: registerVersion(flows),
    register: [],
    owners: [
      {
        owner,
        flows: own.length,
        signed: own.length,
        by: [...new Set(signers.map(({ holder }) => holder))],
        at: signed,
      },
    ],
    observed: false,
    findings: [],
    signature: target,
  };
}

async function readSignatures(
  input: ReviewInput,
  { files, cwd }: World,
  declared: Declared,
  judge: Judge | undefined,
  now: number,
): Promise<{ signatures: OwnerSignature[]; findings: RegisterFinding[] }> {
  const folder = join(declared.folder, 'reviews');
  const found =
    (await files.look(folder))?.kind === 'folder'
      ? (await files.list(folder))
          .filter(({ name, kind }) => kind === 'file' && name.endsWith('.dsse.json'))
          .map(({ name }) => join(folder, name))
      : [];
  const paths = input.signature === undefined ? found : input.signature.map((path) => resolve(cwd, path));
  const signatures: OwnerSignature[] = [];
  const findings: RegisterFinding[] = [];
  for (const path of paths) {
    const where = relative(cwd, path);
    const refuse = (detail: string): void =>
      void findings.push({ code: 'register.signature-refused', level: 'error', where, detail });
    if (judge === undefined) {
      const detail = `${where} is not judged.`;
      findings.push({ code: 'register.signature-unjudged', level: 'warning', where, detail });
      continue;
    }
    const bytes = await readIfThere(files, path, SIGNATURE_LIMIT);
    if (bytes === undefined) {
      refuse('The file is not there.');
      continue;
    }
    const answers = ROLES.map((role) =>
      verifyEnvelope(judge.root, role, REGISTER_PAYLOAD_TYPE, bytes, { now, expectRehearsal: judge.rehearsal }),
    );
    // One holder is enough for an owner, whatever the root demands of the role where it decides over a side.
    const good = answers.find(
      ({ verdict, holders, reasons }) =>
        verdict === 'verified' || (holders.length > 0 && reasons[0]?.code === 'trust.threshold'),
    );
    const envelope = decodeEnvelope(bytes);
    if (good === undefined || isProblem(envelope)) {
      const reason = answers[0]!.reasons[0]!;
      refuse(`${reason.code}: ${reason.detail}`);
      continue;
    }
    const read = readRegisterPayload(envelope.payload, declared.name);
    if (typeof read === 'string') refuse(read);
    else signatures.push({ ...read, holders: good.holders, where });
  }
  return { signatures, findings };
}

async function readObserved(paths: readonly string[], { files, cwd }: World): Promise<Use[] | undefined> {
  if (paths.length === 0) return undefined;
  const uses: Use[] = [];
  for (const path of paths) {
    let bytes: Uint8Array;
    try {
      bytes = await files.read(resolve(cwd, path), OBSERVED_LIMIT);
    } catch (error) {
      if (errorCode(error) === '') throw error;
      throw operationsFault('review.observed-unreadable', {
        where: path,
        detail: `Reading it failed: ${errorCode(error)}.`,
      });
    }
    for (const { time, ...logged } of readLog(path, bytes)) {
      if (time === undefined) {
        const detail = `${logged.where} says no time.`;
        throw operationsFault('review.observed-unreadable', { where: path, detail });
      }
      uses.push({ ...logged, time });
    }
  }
  return uses;
}

function readLog(path: string, bytes: Uint8Array): Logged[] {
  try {
    return readConnectionLog(path, bytes);
  } catch (error) {
    if (!isFault(error) || error.code !== 'policy.evidence-unreadable') throw error;
    throw operationsFault('review.observed-unreadable', { where: error.where, detail: error.message });
  }
}

function summary({ register, findings, owners }: ReviewOutput): string {
  const count = (level: string): number => findings.filter((one) => one.level === level).length;
  const signed = owners.reduce((sum, one) => sum + one.signed, 0);
  const many = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
  return `${many(register.length, 'flow')} of ${many(owners.length, 'owner')}, ${signed} signed as they stand; ${many(count('error'), 'error')}, ${many(count('warning'), 'warning')}, ${many(count('note'), 'note')}`;
}

function render(result: ReviewOutput, style: Style): string {
  switch (result.writing?.format) {
    case 'json':
      return JSON.stringify({ ...result, writing: undefined }, null, 2);
    case 'csv':
      return csv(
        [
          'flow',
          'reason',
          'owner',
          'approver',
          'ticket',
          'review-by',
          'expires',
          'last-use',
          'signed-by',
          'where',
          'findings',
        ],
        result.register.map((row) => [
          flowName(row),
          row.reason,
          row.owner,
          row.approver ?? '',
          row.ticket ?? '',
          row['review-by'] ?? '',
          row.expires ?? '',
          row['last-use'] ?? '',
          row['signed-by'].join('; '),
          row.where,
          row.findings.join('; '),
        ]),
      );
    case 'html':
      return registerPage(result, summary(result));
    default:
      return table(result, style);
  }
}

function table(result: ReviewOutput, style: Style): string {
  const { register, owners, findings, project, version, at } = result;
  const rows = register.flatMap((row) => [
    `${style.bold(flowName(row))}  ${printable(row.reason)}`,
    style.dim(
      `    ${[
        `owner ${printable(row.owner)}`,
        `approver ${printable(row.approver ?? '-')}`,
        `ticket ${printable(row.ticket ?? '-')}`,
        `review by ${row['review-by'] ?? '-'}`,
        `expires ${row.expires ?? '-'}`,
        ...(result.observed ? [`last use ${row['last-use'] ?? '-'}`] : []),
        `signed by ${row['signed-by'].map(printable).join(', ') || '-'}`,
      ].join(', ')}`,
    ),
  ]);
  const word = (level: string): string =>
    level === 'error' ? style.bad(level) : level === 'warning' ? style.warn(level) : level;
  return [
    `Register of ${printable(project)}, version ${version}, on ${at}`,
    ...rows,
    '',
    ...owners.map(
      ({ owner, flows, signed, by, at: time }) =>
        `${printable(owner)}: ${signed} of ${flows} flows are as they were signed${by.length === 0 ? '' : ` by ${by.map(printable).join(', ')}`}${time === undefined ? '' : ` at ${time}`}`,
    ),
    ...(findings.length === 0 ? [] : ['']),
    ...findings.map(
      ({ level, code, where, detail }) =>
        `${printable(where)}: ${word(level)}: ${printable(detail)} ${style.dim(`(${code})`)}`,
    ),
    summary(result),
  ].join('\n');
}
