import { resolve } from 'node:path';
import { errorCode, type Implementation, printable, type World } from '#kernel';
import { readIfThere } from '#system';
import { readRootFile, type Root } from '#trust';
import { judgeReport, type ReportJudgement } from '../evidence.ts';
import { besideReport } from '../io/recording.ts';
import type { VerifyReportInput, VerifyReportOutput } from '../operations.ts';

/** Largest report and signature that are read (docs/spec/envelope.md, JSON-8 and ENV-6). */
const REPORT_LIMIT = 256 * 1024 * 1024;
const SIGNATURE_LIMIT = 64 * 1024 * 1024;

export const verifyReportVerb: Implementation<VerifyReportInput, VerifyReportOutput> = {
  async run(input, world) {
    const path = resolve(world.cwd, input.report);
    const signature =
      input.signature === undefined ? besideReport(path).signature : resolve(world.cwd, input.signature);
    const { root } = await readRootFile(world.files, resolve(world.cwd, input.root));
    const judged = await judge(world, root, path, signature);
    return {
      verdict: judged.verdict,
      reasons: [...judged.reasons],
      path,
      holders: [...judged.holders],
      custody: judged.custody,
      root: { version: root.version, fingerprint: root.fingerprint },
      ...(judged.entry === undefined ? {} : { entry: judged.entry }),
      ...(judged.report === undefined
        ? {}
        : {
            report: {
              verdict: judged.report.verdict,
              offline: judged.report.offline,
              project: judged.report.project,
              started: judged.report.started,
              proofs: judged.report.proofs.length,
            },
          }),
    };
  },

  exit: ({ verdict }) => (verdict === 'verified' ? 0 : 1),

  show({ verdict, reasons, path, holders, custody, root, entry, report }, style) {
    if (verdict === 'unverified' || entry === undefined || report === undefined) {
      const lines = reasons.map(
        ({ code, where, detail }) =>
          `  ${style.bold(code)}${where === '' ? '' : ` ${printable(where)}`}: ${printable(detail)}`,
      );
      return [`${style.bad('unverified')} ${printable(path)}`, ...lines].join('\n');
    }
    const says = report.verdict === 'proved' ? style.good('proved') : style.bad('not proved');
    return [
      `${style.good('verified')} ${printable(path)}`,
      `  signed by ${holders.map((name) => printable(name)).join(', ')}, against root ${root.version}, fingerprint ${root.fingerprint}`,
      `  entry ${entry.index} of the ledger ${printable(entry.origin)}; ${report.proofs} further entries are proved`,
      `  it says: ${printable(report.project)} of ${printable(report.started)}, ${says}; without internet: ${report.offline}`,
      ...(custody === 'rehearsal' ? [`  ${style.warn('its keys are for rehearsals only')}`] : []),
    ].join('\n');
  },
};

/** What is too large to be read is judged too, like everything else that is given. */
async function judge(world: World, root: Root, path: string, signature: string): Promise<ReportJudgement> {
  let where = signature;
  try {
    const envelope = await readIfThere(world.files, signature, SIGNATURE_LIMIT);
    where = path;
    const report = await world.files.read(path, REPORT_LIMIT);
    return judgeReport(root, report, envelope, world.clock.now());
  } catch (error) {
    if (errorCode(error) !== 'EFBIG') throw error;
    const reason = { code: 'rehearse.report-malformed', where, detail: 'It is larger than any report.' };
    return { verdict: 'unverified', reasons: [reason], holders: [], custody: root.custody };
  }
}
