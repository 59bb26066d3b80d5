import {
  arMembers,
  type ByteSource,
  gunzipped,
  randomBytesOf,
  type RandomBytes,
  readZip,
  sourceOf,
  type TarMember,
  tarMembers,
  xzExpanded,
  zstdExpanded,
  type ZipMember,
} from '#formats';
import { codeOf, type Examination } from './examination.ts';
import type { ReasonCode } from './faults.ts';
import { LIMITS } from './limits.ts';
import { type Compression, type Container, containerOf, MAGIC_BYTES, promisesArchive } from './magic.ts';
import { judgeName, type NameRules } from './member-name.ts';
import { MemberTree, staysInside } from './member-tree.ts';

/** What an archive may hold, by what it is. */
export interface Rules {
  readonly names: NameRules;
  /** `inside`: links that lead inside. `none`: packages whose installers drop or follow links as they like. */
  readonly links: 'inside' | 'none';
  /** A layer of an image is a root file system: absolute links, owners, modes and whiteouts belong there. */
  readonly layer: boolean;
}

export const PLAIN: Rules = { names: 'portable', links: 'inside', layer: false };
export const PACKAGE: Rules = { names: 'portable', links: 'none', layer: false };
export const LAYER: Rules = { names: 'linux', links: 'inside', layer: true };
/** The root file system inside a Debian package. */
export const SYSTEM: Rules = { names: 'linux', links: 'inside', layer: true };

export interface Member {
  readonly name: string;
  readonly parts: readonly string[];
  readonly kind: 'file' | 'folder' | 'link';
  readonly size: number;
}

/**
 * Told of every member. For a file it may give a reader of its content, which then sees all of it; otherwise only the
 * beginning is looked at.
 */
export type Visitor = (member: Member) => ((content: ByteSource) => Promise<void>) | undefined;

const NOBODY: Visitor = () => undefined;

/** One archive: its names together, its members one by one. */
class Contents {
  readonly #examination: Examination;
  readonly #rules: Rules;
  readonly #where: string;
  readonly #tree: MemberTree;

  constructor(examination: Examination, rules: Rules, where: string) {
    this.#examination = examination;
    this.#rules = rules;
    this.#where = where;
    this.#tree = new MemberTree(rules.names, examination.bounds.names);
  }

  at(name: string): string {
    return this.#where === '' ? name : `${this.#where}!${name}`;
  }

  say(name: string, code: ReasonCode, detail: string): void {
    this.#examination.found(code, this.at(name), detail);
  }

  /** Judges name, kind and place of a member. Undefined where it is so wrong that its name means nothing. */
  add(name: string, kind: Member['kind'], size: number): Member | undefined {
    this.#examination.entry(this.#where);
    const { parts, faults } = judgeName(name, this.#rules.names);
    for (const { code, detail } of faults) this.say(name, code, detail);
    if (parts.length === 0) {
      if (kind === 'link') this.say(name, 'examine.root-link', 'The root itself is a link.');
      else if (kind === 'file' && faults.length === 0)
        this.say(name, 'examine.name-empty', 'The root itself is a file.');
      return faults.length === 0 ? { name, parts, kind, size } : undefined;
    }
    if (this.#tree.full) {
      this.say('', 'examine.entries', 'Its names are too many or too long together.');
      return undefined;
    }
    for (const { code, detail } of this.#tree.add(parts, kind)) this.say(name, code, detail);
    if (this.#rules.layer) this.#judgeLayerName(name, parts, kind);
    return { name, parts, kind, size };
  }

  #judgeLayerName(name: string, parts: readonly string[], kind: Member['kind']): void {
    if (kind === 'link' && parts.length === 1 && /^(?:dev|proc|sys)$/.test(parts[0]!)) {
      this.say(name, 'examine.root-link', 'The system mounts over this folder (CVE-2026-41579).');
    }
    const last = parts.at(-1)!;
    if (!last.startsWith('.wh.')) return;
    const hidden = last.slice(4);
    if (hidden === '' || hidden === '.' || hidden === '..')
      this.say(name, 'examine.whiteout', 'It removes the folder itself or its parent.');
    else if (hidden.startsWith('.wh.') && !/^\.wh\.(?:\.opq|plnk|aufs|orph)$/.test(hidden)) {
      this.say(name, 'examine.whiteout', 'It is a whiteout of a whiteout.');
    }
    if (kind !== 'file') this.say(name, 'examine.whiteout', `It is a ${kind}; a whiteout is an empty file.`);
  }

  link(member: Member, target: string): void {
    const { name, parts } = member;
    if (this.#rules.links === 'none') {
      this.say(name, 'examine.link', 'Packages of this kind have no links; installers disagree what to do with one.');
    }
    if (this.#rules.layer) {
      if (target === '' || target.includes('\0'))
        this.say(name, 'examine.link-outside', 'The link has no proper target.');
      return;
    }
    if (!staysInside(parts, target)) this.say(name, 'examine.link-outside', `It leads to ${target.slice(0, 100)}.`);
  }

  hardlink(member: Member, target: string): void {
    const { name } = member;
    if (this.#rules.links === 'none') {
      this.say(name, 'examine.link', 'Packages of this kind have no links; installers disagree what to do with one.');
    }
    const { parts, faults } = judgeName(this.#rules.layer ? target.replace(/^\//, '') : target, this.#rules.names);
    if (faults.length > 0) this.say(name, 'examine.link-outside', `It is a hard link to ${target.slice(0, 100)}.`);
    else if (!this.#tree.hasFile(parts)) {
      this.say(name, 'examine.link-target', `No file ${target.slice(0, 100)} stands before it in the archive.`);
    }
  }

  mode(name: string, mode: number): void {
    if (!this.#rules.layer && (mode & 0o7000) !== 0) {
      this.say(name, 'examine.mode', `Its mode ${mode.toString(8)} becomes ${(mode & 0o777).toString(8)}.`);
    }
  }
}

export function isCompression(kind: Container | undefined): kind is Compression {
  return kind === 'gzip' || kind === 'zstd' || kind === 'xz';
}

/** What compressed bytes expand to, counted; one member, frame or stream unless `many` says that several are one content. */
export function expanded(kind: Compression, source: ByteSource, examination: Examination, many = false): ByteSource {
  const spend = (bytes: number): void => examination.spend(bytes);
  switch (kind) {
    case 'gzip':
      return gunzipped(source, { spend, many });
    case 'zstd':
      return zstdExpanded(source, { spend, many });
    case 'xz':
      return xzExpanded(source, spend);
  }
}

/** A tar archive, its members and what is inside them. */
export async function judgeTar(
  source: ByteSource,
  examination: Examination,
  rules: Rules,
  options: { where?: string; nesting?: number; visit?: Visitor } = {},
): Promise<void> {
  const { where = '', nesting = 1, visit = NOBODY } = options;
  const contents = new Contents(examination, rules, where);
  let any = false;
  for await (const member of tarMembers(source)) {
    any = true;
    await judgeTarMember(member, contents, { examination, rules, nesting, visit });
  }
  if (!any) examination.found('examine.empty', where, 'The archive has no members.');
}

interface Walk {
  readonly examination: Examination;
  readonly rules: Rules;
  readonly nesting: number;
  readonly visit: Visitor;
}

async function judgeTarMember(member: TarMember, contents: Contents, walk: Walk): Promise<void> {
  const { name, type, size } = member;
  for (const { trouble, detail } of member.oddities) contents.say(name, codeOf(trouble), detail);
  if (member.attributes.length > 0 && !walk.rules.layer) {
    contents.say(name, 'examine.attributes', `It has ${member.attributes[0]!.slice(0, 100)}.`);
  }
  if (type === 'character' || type === 'block') {
    contents.say(name, 'examine.device', `It is a ${type} device.`);
    walk.examination.entry(name);
    return;
  }
  if (type === 'fifo' || type === 'other') {
    contents.say(
      name,
      'examine.special',
      type === 'fifo' ? 'It is a FIFO.' : `Its type is ${JSON.stringify(member.flag)}.`,
    );
    walk.examination.entry(name);
    return;
  }
  const kind = type === 'folder' ? 'folder' : type === 'symlink' ? 'link' : 'file';
  if (kind === 'file' && name.endsWith('/')) {
    contents.say(name, 'examine.type-change', 'It is a file whose name is that of a folder.');
  }
  if (type === 'hardlink') {
    const added = contents.add(name, 'file', 0);
    if (added !== undefined) contents.hardlink(added, member.linkName);
    return;
  }
  const added = contents.add(name, kind, size);
  if (kind !== 'link') contents.mode(name, member.mode);
  if (added === undefined) return;
  if (kind === 'link') contents.link(added, member.linkName);
  const reader = walk.visit(added);
  if (kind !== 'file' || size === 0) {
    if (reader !== undefined && kind === 'file') await reader(member.content);
    return;
  }
  await judgeContent(member.content, contents.at(name), walk, reader);
}

const READ = new WeakMap<RandomBytes, readonly ZipMember[]>();

/** The members of a zip, read once even where recognising it comes before judging it. */
export async function zipMembers(bytes: RandomBytes, examination: Examination): Promise<readonly ZipMember[]> {
  const members =
    READ.get(bytes) ??
    (await readZip(bytes, Math.min(examination.bounds.entries, examination.bounds.names), () => examination.time()));
  READ.set(bytes, members);
  return members;
}

/** A zip archive. Every member is expanded, because only then its checksum says something. */
export async function judgeZip(
  bytes: RandomBytes,
  examination: Examination,
  rules: Rules,
  options: {
    where?: string;
    nesting?: number;
    visit?: Visitor;
    first?: (members: readonly ZipMember[]) => Promise<void>;
  } = {},
): Promise<void> {
  const { where = '', nesting = 1, visit = NOBODY } = options;
  const members = await zipMembers(bytes, examination);
  if (members.length === 0) examination.found('examine.empty', where, 'The archive has no members.');
  await options.first?.(members);
  const contents = new Contents(examination, rules, where);
  const walk = { examination, rules, nesting, visit };
  for (const member of members) {
    await examination.part(contents.at(member.name), () => judgeZipMember(member, contents, walk));
  }
}

async function judgeZipMember(member: ZipMember, contents: Contents, walk: Walk): Promise<void> {
  const { name, mode, size } = member;
  const format = mode & 0o170000;
  if (member.unreadableName) contents.say(name, 'examine.name-encoding', 'The name is not marked as UTF-8.');
  const type = format === 0o120000 ? 'link' : member.folder ? 'folder' : 'file';
  if (format === 0o020000 || format === 0o060000) {
    contents.say(name, 'examine.device', 'It is a device.');
  } else if (![0, 0o100000, 0o040000, 0o120000].includes(format)) {
    contents.say(name, 'examine.special', 'It is a FIFO, a socket or of an unknown type.');
  }
  if (name.endsWith('/') !== (type === 'folder') || (format === 0o100000 && type === 'folder')) {
    contents.say(name, 'examine.type-change', 'Its name and its attributes disagree whether it is a folder.');
  }
  if (type === 'folder' && size !== 0) contents.say(name, 'examine.header', 'A folder has content.');
  const added = contents.add(name, type, size);
  contents.mode(name, mode & 0o7777);
  const content = member.open((bytes) => walk.examination.spend(bytes));
  if (type === 'link') {
    const target = await content.rest(LIMITS.name);
    if (target === undefined) contents.say(name, 'examine.link-outside', 'Its target is too long.');
    else if (added !== undefined) contents.link(added, Buffer.from(target).toString('utf8'));
    return;
  }
  await judgeContent(content, contents.at(name), walk, added === undefined ? undefined : walk.visit(added));
  // To the end, so that length and checksum are compared.
  await content.skip(Number.MAX_SAFE_INTEGER);
}

/** What lies in a member: another archive is opened, what promises to be one and is not is refused. */
async function judgeContent(
  content: ByteSource,
  where: string,
  walk: Walk,
  reader: ((content: ByteSource) => Promise<void>) | undefined,
): Promise<void> {
  if (reader !== undefined) {
    await reader(content);
    return;
  }
  const start = await content.peek(MAGIC_BYTES);
  const container = containerOf(start);
  if (container === undefined) {
    const looked = !walk.rules.layer || walk.examination.bounds.systems === 'judge';
    if (looked && start.length > 0 && promisesArchive(where)) {
      walk.examination.found(
        'examine.unreadable',
        where,
        'By its name it is an archive, and it cannot be opened as one.',
      );
    }
    return;
  }
  const { examination, rules, nesting } = walk;
  const look = (): Promise<void> =>
    examination.part(where, () => judgeContainer(content, examination, nested(rules), { where, nesting: nesting + 1 }));
  // Nobody unpacks the archives that lie in a root file system when it is unpacked itself; some are there to be odd.
  await (rules.layer && examination.bounds.systems === 'note' ? examination.noting(look) : look());
}

/** Inside a root file system lie files of every kind; an archive among them is judged as one for itself. */
function nested(rules: Rules): Rules {
  return rules.layer ? { ...PLAIN, names: 'linux' } : PLAIN;
}

/** Any container by its first bytes, read forward. */
export async function judgeContainer(
  source: ByteSource,
  examination: Examination,
  rules: Rules,
  { where, nesting }: { where: string; nesting: number },
): Promise<void> {
  if (nesting > LIMITS.nesting) {
    examination.found('examine.nesting', where, `Archives are nested more than ${LIMITS.nesting} deep.`);
    return;
  }
  const container = containerOf(await source.peek(MAGIC_BYTES));
  switch (container?.kind) {
    case 'unreadable':
      examination.found(
        'examine.unreadable',
        where,
        `It is compressed with ${container.label}, which is not read here.`,
      );
      return;
    case 'gzip':
    case 'zstd':
    case 'xz': {
      const inner = expanded(container.kind, source, examination);
      const inside = containerOf(await inner.peek(MAGIC_BYTES));
      if (inside !== undefined)
        await judgeContainer(inner, examination, rules, { where, nesting: nesting + (inside.kind === 'tar' ? 0 : 1) });
      await inner.skip(Number.MAX_SAFE_INTEGER);
      return;
    }
    case 'tar':
      await judgeTar(source, examination, rules, { where, nesting });
      return;
    case 'deb':
      for await (const { name, content, size } of arMembers(source)) {
        examination.entry(where);
        const walk = { examination, rules: SYSTEM, nesting, visit: NOBODY };
        if (size > 0) await judgeContent(content, `${where}!${name}`, walk, undefined);
      }
      return;
    case 'zip': {
      const bytes = await source.rest(examination.bounds.nestedZip);
      if (bytes === undefined) {
        examination.found(
          'examine.document-size',
          where,
          `A zip inside an archive has more than ${examination.bounds.nestedZip} bytes.`,
        );
        return;
      }
      await judgeZip(randomBytesOf(bytes), examination, rules, { where, nesting });
      return;
    }
    case undefined:
      return;
  }
}

/**
 * The tar inside a package file: gzip as a rule, plain or zstd where `allow` says so. `visit` sees its members.
 * False where it is something else.
 */
export async function judgeTarFile(
  bytes: RandomBytes,
  examination: Examination,
  rules: Rules,
  visit: Visitor,
): Promise<boolean> {
  const source = sourceOf(bytes);
  const kind = containerOf(await source.peek(MAGIC_BYTES))?.kind;
  if (kind === 'tar') {
    await judgeTar(source, examination, rules, { visit });
    return true;
  }
  if (!isCompression(kind)) return false;
  const inner = expanded(kind, source, examination);
  if (containerOf(await inner.peek(MAGIC_BYTES))?.kind !== 'tar') {
    const isEmpty = (await inner.peek(1024)).every((byte) => byte === 0);
    if (!isEmpty) return false;
  }
  await judgeTar(inner, examination, rules, { visit });
  await inner.skip(1);
  return true;
}
