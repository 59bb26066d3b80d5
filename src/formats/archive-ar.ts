import { ArchiveProblem, type ByteSource, sectionOf } from './byte-source.ts';

/** One member of an `ar` archive in the common format, as Debian packages are (deb(5)). */
export interface ArMember {
  readonly name: string;
  readonly size: number;
  readonly content: ByteSource;
}

/** Members in order. Throws ArchiveProblem; GNU and BSD long names, which packages do not have, are refused. */
export async function* arMembers(source: ByteSource): AsyncGenerator<ArMember> {
  const magic = Buffer.from(await source.take(8)).toString('latin1');
  if (magic !== '!<arch>\n') throw new ArchiveProblem('header', 'It is no ar archive.');
  for (;;) {
    const at = source.position;
    const header = await source.take(60);
    if (header.length === 0) return;
    if (header.length < 60) throw new ArchiveProblem('trailing', `Bytes follow the last member at byte ${at}.`);
    const text = Buffer.from(header).toString('latin1');
    const fields = /^([A-Za-z0-9._-]{1,15}\/?) *$/.exec(text.slice(0, 16));
    const numbers = /^(\d* *)(\d* *)(\d* *)([0-7]* *)(\d{1,10}) *$/.exec(text.slice(16, 58));
    const shaped =
      /^\d{0,12} *$/.test(text.slice(16, 28)) &&
      /^\d{0,6} *$/.test(text.slice(28, 34)) &&
      /^\d{0,6} *$/.test(text.slice(34, 40));
    const size = /^(\d{1,10}) *$/.exec(text.slice(48, 58));
    if (fields === null || numbers === null || !shaped || size === null || text.slice(58) !== '`\n') {
      throw new ArchiveProblem('header', `The header at byte ${at} is malformed.`);
    }
    const length = Number(size[1]);
    const { content, left } = sectionOf(source, length);
    yield { name: fields[1]!.replace(/\/$/, ''), size: length, content };
    const rest = left();
    if ((await source.skip(rest)) < rest) throw new ArchiveProblem('truncated', 'The archive ends inside a member.');
    if (length % 2 === 1) {
      const pad = await source.take(1);
      if (pad.length === 1 && pad[0] !== 0x0a)
        throw new ArchiveProblem('padding', `The byte before ${source.position} should be a newline.`);
    }
  }
}
