import { arMembers, type ByteSource, type RandomBytes, sourceOf } from '#formats';
import { expanded, judgeTar, SYSTEM, type Visitor } from '../archive.ts';
import type { Examination } from '../examination.ts';
import { containerOf, MAGIC_BYTES } from '../magic.ts';
import { isPlainWord } from '../member-name.ts';
import { readDocument, textOf } from './document.ts';

const COMPRESSED = ['', '.gz', '.zst', '.xz', '.bz2', '.lzma'];

/** A binary package of Debian (deb(5)): debian-binary, control.tar and data.tar, in this order and nothing else. */
export async function judgeDeb(file: RandomBytes, examination: Examination): Promise<void> {
  const source = sourceOf(file);
  if (Buffer.from(await source.peek(8)).toString('latin1') !== '!<arch>\n') {
    examination.found('examine.wrong-kind', '', 'It is no ar archive.');
    return;
  }
  const names: string[] = [];
  for await (const { name, content, size } of arMembers(source)) {
    examination.entry(name);
    const due = ['debian-binary', 'control.tar', 'data.tar'][names.length];
    const extension = due === undefined ? undefined : name.startsWith(due) ? name.slice(due.length) : undefined;
    if (extension === undefined || (due === 'debian-binary' ? extension !== '' : !COMPRESSED.includes(extension))) {
      examination.found('examine.layout', name, `${due ?? 'Nothing'} is due here.`);
      return;
    }
    names.push(name);
    if (due === 'debian-binary') {
      const version = size <= 64 ? Buffer.from(await content.take(64)).toString('latin1') : '';
      if (!/^2\.\d+\n$/.test(version)) examination.found('examine.metadata', name, 'Its format version is not 2.');
    } else await examination.part(name, () => judgePart(content, name, examination));
  }
  if (names.length < 3) examination.found('examine.layout', '', `It has only ${names.length} of three members.`);
}

async function judgePart(content: ByteSource, name: string, examination: Examination): Promise<void> {
  const start = await content.peek(MAGIC_BYTES);
  const container = containerOf(start);
  const due = name.endsWith('.gz')
    ? 'gzip'
    : name.endsWith('.zst')
      ? 'zstd'
      : name.endsWith('.tar')
        ? 'tar'
        : name.endsWith('.xz')
          ? 'xz'
          : 'unreadable';
  if (due === 'unreadable') {
    examination.found('examine.unreadable', name, 'It is compressed with bzip2 or lzma, which are not read here.');
    return;
  }
  if (container?.kind !== due) {
    examination.found('examine.wrong-kind', name, `Its content is ${container?.label ?? 'no archive'}.`);
    return;
  }
  const tar = due === 'tar' ? content : expanded(due, content, examination);
  let control = 0;
  const visit: Visitor = ({ parts, kind, name: member }) => {
    if (!name.startsWith('control.tar') || kind !== 'file' || parts.length !== 1 || parts[0] !== 'control')
      return undefined;
    control += 1;
    return async (bytes) =>
      judgeControl(
        textOf(await readDocument(bytes, member, examination), member, examination),
        `${name}!control`,
        examination,
      );
  };
  await judgeTar(tar, examination, SYSTEM, { where: name, visit });
  await tar.skip(Number.MAX_SAFE_INTEGER);
  if (name.startsWith('control.tar') && control === 0)
    examination.found('examine.metadata', name, 'It has no control file.');
}

function judgeControl(text: string | undefined, where: string, examination: Examination): void {
  if (text === undefined) return;
  const field = (key: string): string => {
    const all = [...text.matchAll(new RegExp(`^${key}:[ \\t]*(.*?)[ \\t]*$`, 'gim'))];
    return all.length === 1 ? all[0]![1]! : '';
  };
  if (!/^[a-z0-9][a-z0-9+.-]+$/.test(field('Package')) || field('Package').includes('..')) {
    examination.found('examine.metadata-name', where, `Its package is ${JSON.stringify(field('Package'))}.`);
  }
  if (!/^(?:\d+:)?[0-9][A-Za-z0-9.+~-]*$/.test(field('Version')) || field('Version').includes('..')) {
    examination.found('examine.metadata-name', where, `Its version is ${JSON.stringify(field('Version'))}.`);
  }
  if (!isPlainWord(field('Architecture'))) {
    examination.found('examine.metadata-name', where, `Its architecture is ${JSON.stringify(field('Architecture'))}.`);
  }
}
