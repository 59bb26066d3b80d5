import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { type Implementation, type Reason } from '#kernel';
import { homePath, openHome, writeDurably } from '#system';
import { readRoots } from '#trust';
import { gateFault } from '../faults.ts';
import type { ReleaseDraftInput, ReleaseDraftOutput } from '../operations.ts';
import { ledgerLines, receiptLines } from '../outward/drafts.ts';
import { readReleasePolicy, type ReleasePolicy } from '../outward/release-policy.ts';
import { formatRelease, levels, type ReleaseLine, type ReleaseText } from '../outward/release-text.ts';

export const releaseDraftVerb: Implementation<ReleaseDraftInput, ReleaseDraftOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const policy = await readReleasePolicy(files, home.path);
    const site = (await readRoots(files, home.path)).at(-1)?.root.site ?? '';
    const { kind } = input;
    const level = input.level ?? policy.level;
    let lines: readonly ReleaseLine[];
    if (kind === 'receipt') lines = await receiptLines(files, home, level);
    else if (kind === 'ledger') lines = await ledgerLines(files, home);
    else if (kind === 'request') lines = wantedLines(input.want ?? []);
    else lines = supportLines(world.version);
    const text: ReleaseText = { kind, site, ...(kind === 'receipt' ? { level } : {}), lines };
    const bytes = formatRelease(text);
    const path = resolve(cwd, input.out);
    const reasons = judgeRelease(policy, text, bytes);
    if (reasons.length === 0) await writeDurably(files, path, bytes, { mode: 0o600 });
    return {
      verdict: reasons.length === 0 ? 'drafted' : 'refused',
      reasons,
      kind,
      path,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      text: Buffer.from(bytes).toString('latin1'),
    };
  },

  exit: ({ verdict }) => (verdict === 'drafted' ? 0 : 1),

  show({ verdict, reasons, path, bytes, sha256, text }, style) {
    if (verdict === 'refused') {
      return [style.bad(verdict), ...reasons.map(({ code, detail }) => `  ${style.bold(code)}: ${detail}`)].join('\n');
    }
    return [text.trimEnd(), '', `${style.good(verdict)} ${path}: ${bytes} bytes, sha256 ${sha256}`].join('\n');
  },
};

/** What the site's rules say against letting this text out; asked when it is drafted, and again when it leaves. */
export function judgeRelease(policy: ReleasePolicy, text: ReleaseText, bytes: Uint8Array): Reason[] {
  const no = (where: string, detail: string): Reason[] => [{ code: 'gate.not-allowed', where, detail }];
  if (!policy.allow.includes(text.kind))
    return no('allow', `It is a ${text.kind}; ${policy.allow.join(', ')} may leave.`);
  if (text.level !== undefined && levels.indexOf(text.level) > levels.indexOf(policy.level)) {
    return no('level', `It says as much as '${text.level}'; '${policy.level}' is the most.`);
  }
  if (bytes.length > policy.limit) return no('limit', `It has ${bytes.length} bytes; ${policy.limit} are the most.`);
  return [];
}

function wantedLines(wanted: readonly string[]): ReleaseLine[] {
  const name = /^[A-Za-z0-9@._/+~-]{1,214}$/;
  return wanted.map((wish) => {
    const [, ecosystem = '', artifact = '', version = ''] = /^([a-z0-9-]+)\/(.+)@([^@]+)$/.exec(wish) ?? [];
    if (![ecosystem, artifact, version].every((part) => name.test(part)))
      throw gateFault('gate.wanted', { where: wish });
    return ['want', ecosystem, artifact, version];
  });
}

function supportLines(version: string): ReleaseLine[] {
  const { platform, arch, versions } = process;
  return [
    ['version', 'sallyport', version],
    ['version', 'node', versions.node],
    ['version', 'platform', `${platform}-${arch}`],
  ];
}
