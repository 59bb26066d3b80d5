import { parseDocument } from 'yaml';
import type { RandomBytes } from '#formats';
import { errorMessage, isObject } from '#kernel';
import { judgeTarFile, PACKAGE } from '../archive.ts';
import type { Examination } from '../examination.ts';
import { isPlainWord } from '../member-name.ts';
import { readDocument, textOf } from './document.ts';

/** Bytes of a Chart.yaml that are read as YAML. */
export const CHART_LIMIT = 128 * 1024;

/** A Helm chart: everything in one folder of the chart's name, with one Chart.yaml (CVE-2026-35206, CVE-2024-25620). */
export async function judgeChart(file: RandomBytes, examination: Examination): Promise<void> {
  let top: string | undefined;
  let found = false;
  const isTar = await judgeTarFile(file, examination, PACKAGE, ({ name, parts, kind }) => {
    if (parts.length === 0) return undefined;
    top ??= parts[0]!;
    if (parts[0] !== top || (parts.length === 1 && kind !== 'folder')) {
      examination.found('examine.layout', name, `It does not lie in ${top}/.`);
    }
    // Subcharts have their own, below charts/.
    const chart = parts.at(-1) === 'Chart.yaml' && kind === 'file' && (parts.length === 2 || parts.at(-3) === 'charts');
    if (!chart) return undefined;
    if (parts.length === 2) found = true;
    const folder = parts.at(-2)!;
    return async (content) =>
      judgeChartFile(
        textOf(await readDocument(content, name, examination), name, examination),
        folder,
        name,
        examination,
      );
  });
  if (!isTar) examination.found('examine.wrong-kind', '', 'It is no compressed tar archive.');
  else if (!found) examination.found('examine.metadata', '', 'It has no Chart.yaml.');
}

function judgeChartFile(text: string | undefined, folder: string, where: string, examination: Examination): void {
  if (text === undefined) return;
  if (text.length > CHART_LIMIT) {
    examination.found('examine.document-size', where, `It has more than ${CHART_LIMIT} characters.`);
    return;
  }
  let chart: unknown;
  try {
    const document = parseDocument(text, { uniqueKeys: true, merge: false, strict: true });
    if (document.errors.length > 0) throw document.errors[0]!;
    // No alias at all: anchors can make a small document large (CVE-2019-11253).
    chart = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    examination.found('examine.metadata', where, `It is no proper YAML: ${errorMessage(error)}`);
    return;
  }
  const { name, version } = isObject(chart) ? chart : {};
  if (typeof name !== 'string' || !isPlainWord(name) || name !== folder) {
    examination.found('examine.metadata-name', where, `Its name is ${JSON.stringify(name)} in the folder ${folder}.`);
  }
  if (typeof version !== 'string' || !/^v?\d+\.\d+\.\d+/.test(version) || !isPlainWord(version)) {
    examination.found('examine.metadata-name', where, `Its version is ${JSON.stringify(version)}.`);
  }
}
