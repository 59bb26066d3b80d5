import {
  compareIdentity,
  compareUtf8,
  type Evidence,
  type Identity,
  identityKey,
  printable,
  type Target,
  type Targets,
} from '#kernel';
import type { Closure, OutsideHalf, Upstream, Wanted } from '#ecosystems';
import { authorityOf, folderAddress, isHttp, withoutSecrets } from '../address.ts';
import { inParallel } from '../parallel.ts';
import { environmentsOf, type PythonEnvironment, versionRange } from './environment.ts';
import { pypiFault } from './faults.ts';
import { evaluate, type Truth } from './marker.ts';
import { isProjectName, normaliseName } from './names.ts';
import { type Requirement, type Requirements, readRequirements } from './requirements.ts';
import { type IndexFile, instantOfUpload, PAGE_LIMIT, parsePage, type SimplePage } from './simple.ts';
import { comparePep440, parseSpecifiers, satisfies } from './version.ts';
import { compareBuild, parseSdistName, parseWheelName, rankOf, ranksOf, supportedTags } from './wheel.ts';

const LANES = 8;
const ACCEPT = 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.1';
const OTHER_LOCKS = /(?:^|\/)(?:uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock|pylock(?:\.[^/]+)?\.toml)$/;

type Document = Closure['documents'][number];

/** An environment with the tags that it accepts, best first. */
interface Ranked {
  readonly environment: PythonEnvironment;
  readonly ranks: ReadonlyMap<string, number>;
}

/** A file that was chosen, and where. */
interface Choice {
  readonly file: IndexFile;
  readonly index: Page;
  readonly requirement: Requirement;
  readonly targets: Set<string>;
  /** In how many environments it is the choice. */
  uses: number;
  /** Whether the same choice would be made on any target. */
  universal: boolean;
}

interface Page {
  readonly page: SimplePage;
  readonly row: Document;
}

export const pypiOutside: OutsideHalf = {
  recognise(path, head) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (OTHER_LOCKS.test(path)) return true;
    if (!/^(?:.*[-_.])?requirements(?:[-_.].*)?\.txt$/i.test(name)) return false;
    // A list without a single hash is what people write, not what a tool locked; `init` would offer it in vain.
    return Buffer.from(head).toString('utf8').includes('--hash');
  },

  async resolve(input, targets, upstream) {
    if (OTHER_LOCKS.test(input.path)) throw pypiFault('pypi.format', { where: input.path });
    const list = await readRequirements(input.path, input.bytes, input.sibling);
    const notes = [...list.notes];
    const environments: Ranked[] = targets.flatMap((target) =>
      environmentsOf(target).map((environment) => ({ environment, ranks: ranksOf(supportedTags(environment)) })),
    );

    const byProject = new Map<string, { requirement: Requirement; where: readonly Ranked[] }[]>();
    for (const requirement of list.requirements) {
      const applies = environments.filter(({ environment }) => appliesTo(requirement, environment) !== false);
      if (applies.length === 0) {
        notes.push(`${requirement.where}: ${requirement.name} ${requirement.version} is needed on no target.`);
        continue;
      }
      const key = normaliseName(requirement.name);
      const same = byProject.get(key) ?? [];
      checkConflict(same, requirement, applies);
      same.push({ requirement, where: applies });
      byProject.set(key, same);
    }

    const settings = await upstream.settings('pip');
    const [first, ...extra] = settings.registries;
    const indexes = [list.index ?? first, ...(list.index === undefined ? extra : []), ...list.extraIndexes]
      .filter((i) => i !== undefined)
      .filter(isHttp)
      .map(folderAddress);
    const documents = new Map<string, Document>();
    const wanted = new Map<string, Wanted>();
    let done = 0;
    await inParallel([...byProject], LANES, async ([key, items]) => {
      upstream.signal.throwIfAborted();
      const pages = await fetchPages(key, [...new Set(indexes)], items[0]?.requirement.where ?? input.path, upstream);
      const choices: Choice[] = [];
      for (const { requirement, where } of items) {
        choose(requirement, where, pages, list, choices, notes, environments.length);
      }
      for (const choice of choices) {
        documents.set(identityKey(choice.index.row) + choice.index.row.role, choice.index.row);
        for (const item of wantedOf(choice, key, targets)) merge(wanted, item);
      }
      done += 1;
      upstream.report({ type: 'amount', step: 'resolve', done, total: byProject.size, unit: 'items', current: key });
    });
    return {
      // Answers arrive in any order; what comes out must not depend on it.
      artifacts: [...wanted.values()].sort(compareIdentity),
      documents: [...documents.values()].sort((a, b) => compareIdentity(a, b) || compareUtf8(a.role, b.role)),
      pointers: [],
      notes: [...new Set(notes)].sort(),
    };
  },
};

function appliesTo(requirement: Requirement, environment: PythonEnvironment): Truth {
  return requirement.marker === undefined ? true : evaluate(requirement.marker, environment);
}

function checkConflict(
  same: readonly { requirement: Requirement; where: readonly Ranked[] }[],
  requirement: Requirement,
  applies: readonly Ranked[],
): void {
  for (const other of same) {
    if (comparePep440(other.requirement.version, requirement.version) === 0) continue;
    const certain = (r: Requirement, e: Ranked): boolean => appliesTo(r, e.environment) === true;
    const both = applies.find(
      (e) => other.where.includes(e) && certain(requirement, e) && certain(other.requirement, e),
    );
    if (both === undefined) continue;
    throw pypiFault('pypi.conflict', {
      where: requirement.where,
      detail: `${requirement.name} is ${requirement.version} here and ${other.requirement.version} in ${other.requirement.where}, both on ${both.environment.target.name}.`,
    });
  }
}

async function fetchPages(
  project: string,
  indexes: readonly string[],
  where: string,
  upstream: Upstream,
): Promise<readonly Page[]> {
  const pages: Page[] = [];
  for (const index of indexes) {
    const address = `${index}${project}/`;
    const answer = await upstream.getBytes({ client: 'pip', url: address, headers: { accept: ACCEPT } }, PAGE_LIMIT);
    if (answer.status === 404 || answer.status === 410) continue;
    const origin = withoutSecrets(address);
    if (answer.status !== 200) {
      throw pypiFault('pypi.upstream', { where, detail: `${origin} answered with status ${answer.status}.` });
    }
    const media = (answer.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
    const role = media.endsWith('json') ? 'simple-json' : 'simple-html';
    const page = parsePage(answer.bytes, role, address, project);
    if (page === undefined) {
      throw pypiFault('pypi.upstream', {
        where,
        detail: `${origin} answered with something that is no page of ${project}.`,
      });
    }
    pages.push({
      page,
      row: {
        ecosystem: 'pypi',
        authority: authorityOf(index),
        name: project,
        version: '',
        file: '',
        role,
        digest: await upstream.keep(answer.bytes),
        size: answer.bytes.length,
        media: media === '' ? 'text/html' : media,
        origin,
      },
    });
  }
  if (pages.length === 0) {
    const asked =
      indexes.length === 0
        ? 'No index is configured.'
        : `${project} was asked at ${indexes.map(withoutSecrets).join(' and ')}.`;
    throw pypiFault('pypi.unknown-project', { where, detail: asked });
  }
  return pages;
}

/** For each environment the wheel that pip would take, or the sdist where no wheel fits. */
function choose(
  requirement: Requirement,
  where: readonly Ranked[],
  pages: readonly Page[],
  list: Requirements,
  choices: Choice[],
  notes: string[],
  environmentCount: number,
): void {
  const key = normaliseName(requirement.name);
  const release = pages.flatMap((index) =>
    index.page.files
      .filter((file) => {
        const version = parseWheelName(file.filename)?.version ?? parseSdistName(file.filename, normaliseName, key);
        return version !== undefined && comparePep440(version, requirement.version) === 0;
      })
      .map((file) => ({ index, file })),
  );
  const describe = `${requirement.name} ${requirement.version}`;
  if (release.length === 0) {
    const asked = pages.map((p) => p.row.origin).join(' and ');
    throw pypiFault('pypi.unknown-version', { where: requirement.where, detail: `${describe} was asked at ${asked}.` });
  }
  const allowed = release.filter(({ file }) => isAllowed(file, requirement));
  const binaryOff = list.noBinary.has(':all:') || list.noBinary.has(key);
  const sourceOff = list.onlyBinary.has(':all:') || list.onlyBinary.has(key);

  for (const { environment, ranks } of where) {
    const python = (file: IndexFile): boolean => allowsPython(file.requiresPython, environment);
    let best: { index: Page; file: IndexFile; rank: number; build: string } | undefined;
    for (const { index, file } of allowed) {
      const wheel = parseWheelName(file.filename);
      if (wheel === undefined || binaryOff || !python(file)) continue;
      const rank = rankOf(wheel, ranks);
      if (rank === undefined) continue;
      const better =
        best === undefined ||
        Number(file.yanked !== undefined) - Number(best.file.yanked !== undefined) < 0 ||
        (Number(file.yanked !== undefined) === Number(best.file.yanked !== undefined) &&
          (rank < best.rank || (rank === best.rank && compareBuild(wheel.build, best.build) > 0)));
      if (better) best = { index, file, rank, build: wheel.build };
    }
    let chosen: { index: Page; file: IndexFile } | undefined = best;
    if (chosen === undefined && !sourceOff) {
      chosen = allowed.find(({ file }) => parseWheelName(file.filename) === undefined && python(file));
      if (chosen !== undefined) {
        notes.push(
          `${requirement.where}: ${describe} has no wheel for ${environment.target.name}; its source is carried, but what it needs to be built is not locked by the requirements file.`,
        );
      }
    }
    if (chosen === undefined) throw noFile(requirement, environment, release.length, allowed);
    if (chosen.file.yanked !== undefined) {
      const reason = chosen.file.yanked === '' ? 'without a reason' : `: ${printable(chosen.file.yanked)}`;
      notes.push(
        `${requirement.where}: upstream has yanked ${describe} (${printable(chosen.file.filename)}) ${reason}.`,
      );
    }
    let choice = choices.find((c) => c.file === chosen.file);
    if (choice === undefined) {
      choice = { ...chosen, requirement, targets: new Set(), uses: 0, universal: true };
      choices.push(choice);
    }
    choice.uses += 1;
    choice.targets.add(environment.target.name);
    const wheel = parseWheelName(chosen.file.filename);
    const anywhere = wheel !== undefined && wheel.abis.includes('none') && wheel.platforms.includes('any');
    if (!anywhere || requirement.marker !== undefined) choice.universal = false;
  }
  for (const choice of choices) if (choice.uses < environmentCount) choice.universal = false;
}

function isAllowed(file: IndexFile, requirement: Requirement): boolean {
  return requirement.hashes.some(({ algorithm, value }) => file.hashes.get(algorithm) === value);
}

/** Where the target leaves the patch version open, a file is left out only if no patch version could use it. */
function allowsPython(requires: string | undefined, environment: PythonEnvironment): boolean {
  if (requires === undefined || requires.trim() === '') return true;
  const specifiers = parseSpecifiers(requires);
  // pip ignores what it cannot read.
  if (specifiers === undefined) return true;
  return versionRange(environment).some((version) => satisfies(version, specifiers));
}

function noFile(
  requirement: Requirement,
  environment: PythonEnvironment,
  all: number,
  allowed: readonly { file: IndexFile }[],
): Error {
  const { target, implementation, major, minor } = environment;
  const libc = target.libc === undefined ? '' : `, ${target.libc.name} ${target.libc.version}`;
  const machine = `${target.name} (${target.os}/${target.arch}${libc}, ${implementation} ${major}.${minor})`;
  const names = allowed.map(({ file }) => printable(file.filename)).slice(0, 20);
  return pypiFault('pypi.no-file', {
    where: requirement.where,
    detail:
      names.length === 0
        ? `${requirement.name} ${requirement.version}: none of the ${all} files of the index has one of the hashes.`
        : `${requirement.name} ${requirement.version} on ${machine}: the hashes allow only ${names.join(', ')}.`,
  });
}

function wantedOf(choice: Choice, key: string, targets: readonly Target[]): readonly Wanted[] {
  const { file, requirement, index } = choice;
  const names: Targets = choice.universal
    ? 'any'
    : targets
        .map((t) => t.name)
        .filter((n) => choice.targets.has(n))
        .sort();
  const expected: Evidence[] = requirement.hashes
    .filter(({ algorithm, value }) => file.hashes.get(algorithm) === value)
    .map(({ algorithm, value }) => ({ algorithm, value, scope: 'file', source: requirement.source, grade: 'strong' }));
  const name = parseWheelName(file.filename)?.distribution ?? requirement.name;
  const identity: Identity = {
    ecosystem: 'pypi',
    authority: index.row.authority,
    name: isProjectName(name) ? name : key,
    version: requirement.version,
    file: file.filename,
  };
  const facts: Record<string, string> = {};
  if (file.requiresPython !== undefined) facts['requires-python'] = file.requiresPython;
  if (file.yanked !== undefined) facts['yanked'] = file.yanked;
  const wanted: Wanted = {
    ...identity,
    targets: names,
    sources: [{ kind: 'url', url: file.url }],
    expected,
    ...(file.size !== undefined && { size: file.size }),
    media: 'application/octet-stream',
    published: instantOfUpload(file.uploadTime),
    facts,
  };
  if (file.metadata === undefined) return [wanted];
  const metadata: Wanted = {
    ...identity,
    file: `${file.filename}.metadata`,
    targets: names,
    sources: [{ kind: 'url', url: `${file.url}.metadata` }],
    expected:
      file.metadata === ''
        ? []
        : [{ algorithm: 'sha256', value: file.metadata, scope: 'file', source: 'index', grade: 'strong' }],
    media: 'application/octet-stream',
    published: wanted.published,
    facts: {},
  };
  return [wanted, metadata];
}

function merge(all: Map<string, Wanted>, item: Wanted): void {
  const id = identityKey(item);
  const known = all.get(id);
  if (known === undefined) {
    all.set(id, item);
    return;
  }
  const targets: Targets =
    known.targets === 'any' || item.targets === 'any'
      ? 'any'
      : [...new Set([...known.targets, ...item.targets])].sort();
  all.set(id, { ...known, targets });
}
