import { resolve } from 'node:path';
import { errorCode, type Implementation, printable } from '#kernel';
import { writeDurably } from '#system';
import { trustFault } from '../faults.ts';
import type { TufVerifyInput, TufVerifyOutput } from '../operations.ts';
import { judgeTuf } from '../tuf.ts';

const ROOT_LIMIT = 8 * 1024 * 1024;

export const tufVerifyVerb: Implementation<TufVerifyInput, TufVerifyOutput> = {
  async run(input, world) {
    const { files, cwd, clock } = world;
    const folder = resolve(cwd, input.folder);
    const now = input.at === undefined ? clock.now() : Date.parse(input.at);
    const usage = (where: string) => trustFault('trust.tuf-usage', { where });
    if (Number.isNaN(now)) throw usage('--at');
    if ((input.target === undefined) !== (input.out === undefined)) throw usage('--target, -o');
    if ((await files.look(`${folder}/metadata`))?.kind !== 'folder') throw usage(folder);
    const read = async (path: string, limit: number): Promise<Uint8Array | undefined> => {
      // Names come from metadata: nothing above the folder, no link followed.
      if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) return undefined;
      let at = folder;
      const parts = path.split('/');
      for (const [i, part] of parts.entries()) {
        at = `${at}/${part}`;
        if ((await files.look(at))?.kind !== (i === parts.length - 1 ? 'file' : 'folder')) return undefined;
      }
      try {
        return await files.read(at, limit);
      } catch (error) {
        if (errorCode(error) === 'EFBIG') return undefined;
        throw error;
      }
    };
    const rootPath = resolve(cwd, input.root);
    if ((await files.look(rootPath)) === undefined) throw usage(rootPath);
    const judged = await judgeTuf({ read }, await files.read(rootPath, ROOT_LIMIT), now, input.target);
    const { verdict, reasons, root, roles, target } = judged;
    const answer = { verdict, reasons: [...reasons], roles: [...roles], ...(root === undefined ? {} : { root }) };
    if (target === undefined || input.out === undefined) return answer;
    const path = resolve(cwd, input.out);
    await writeDurably(files, path, target.bytes);
    return { ...answer, target: { path, sha256: target.sha256, bytes: target.bytes.length } };
  },

  exit: ({ verdict }) => (verdict === 'verified' ? 0 : 1),

  show: ({ verdict, reasons, root, roles, target }, style) =>
    [
      verdict === 'verified' ? style.good(verdict) : style.bad(verdict),
      ...reasons.map(({ code, where, detail }) => `  ${style.bold(code)} ${printable(where)}: ${detail}`),
      ...(root === undefined ? [] : [`  root ${root.version}, expires ${root.expires}`]),
      ...roles.map(({ role, version, expires }) => `  ${printable(role)} ${version}, expires ${expires}`),
      ...(target === undefined ? [] : [`  ${printable(target.path)}: ${target.bytes} bytes, sha256 ${target.sha256}`]),
    ].join('\n'),
};
