import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import type { Implementation, Style, World } from '#kernel';
import { policyFault } from '../faults.ts';
import { isPlain, manifestsOf } from '../io/manifests.ts';
import { writeAnswer, writingOf } from '../io/output-file.ts';
import { atLeast, lint } from '../lint/lint.ts';
import { lintCatalogue, type LintCode } from '../lint/rules.ts';
import { sarif } from '../lint/sarif.ts';
import type { lintInput, lintOutput } from '../operations.ts';
import { PLAIN } from './plain.ts';

type Output = z.infer<typeof lintOutput>;

export const lintVerb: Implementation<z.infer<typeof lintInput>, Output> = {
  async run({ folder, cni, failOn = 'warning', ignore = [], output, out, root, home }, world) {
    for (const rule of ignore) {
      if (!Object.hasOwn(lintCatalogue, rule)) throw policyFault('policy.rule-unknown', { where: rule });
    }
    const writing = writingOf(['json', 'sarif'], { output, out });
    const { remarks: all, errors } = lint(await manifestsOf(folder, { root, home }, world), cni);
    const remarks = all.filter(({ rule }) => !ignore.includes(rule));
    const left = Map.groupBy(
      all.filter(({ rule }) => ignore.includes(rule)),
      ({ rule }) => rule,
    );
    const grave = failOn === 'never' ? [] : remarks.filter((one) => atLeast(one, failOn));
    const verdict = errors.length > 0 ? 'unknown' : grave.length > 0 ? 'failed' : 'passed';
    const count = (level: string): number => remarks.filter((one) => one.level === level).length;
    const result: Output = {
      verdict,
      findings: remarks.map((one) => {
        const { title, why, fix } = lintCatalogue[one.rule];
        return { ...one, title, why, fix };
      }),
      counts: { error: count('error'), warning: count('warning'), note: count('note') },
      ignored: Object.fromEntries([...left].map(([rule, found]) => [rule, found.length])),
      version: world.version,
      base: await baseOf(folder, world),
      writing,
    };
    await writeAnswer(world, writing, () => render(result, PLAIN));
    return result;
  },
  exit: ({ verdict }) => (verdict === 'passed' ? 0 : 1),
  show(result, style) {
    if (result.writing.file === undefined) return render(result, style);
    return `${result.verdict}: ${summary(result)}, written to ${result.writing.file}`;
  },
};

/** What was sealed is named by its paths in the project. */
async function baseOf(named: string, world: World): Promise<string> {
  if (!(await isPlain(named, world))) return '.';
  return (await world.files.look(resolve(world.cwd, named)))?.kind === 'folder' ? named : dirname(named);
}

function summary({ counts, ignored }: Output): string {
  const part = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
  const left = Object.values(ignored).reduce((sum, one) => sum + one, 0);
  const parts = [part(counts.error, 'error'), part(counts.warning, 'warning'), part(counts.note, 'note')];
  return [...parts, ...(left === 0 ? [] : [`${left} ignored`])].join(', ');
}

function render(result: Output, style: Style): string {
  const { writing, findings, verdict, version, counts } = result;
  if (writing.format === 'json') return JSON.stringify({ verdict, findings, counts, ignored: result.ignored }, null, 2);
  if (writing.format === 'sarif') {
    return sarif(
      findings.map(({ rule, level, where, detail }) => ({ rule: rule as LintCode, level, where, detail })),
      version,
      result.base,
    );
  }
  const said = new Set<string>();
  const lines = findings.flatMap(({ rule, level, where, title, detail, why, fix }) => {
    // Why and what to do stand at the first of its kind.
    const first = level !== 'note' && !said.has(rule);
    said.add(rule);
    const word = level === 'error' ? style.bad(level) : level === 'warning' ? style.warn(level) : level;
    return [
      `${where}: ${word}: ${title} ${style.dim(`(${rule})`)}`,
      `    ${detail}`,
      ...(first ? [style.dim(`    Why: ${why}`), style.dim(`    What to do: ${fix}`)] : []),
    ];
  });
  const unknown =
    verdict === 'unknown' ? ['Nothing else was looked at, since these objects are part of the answer.'] : [];
  return [...lines, ...unknown, summary(result)].join('\n');
}
