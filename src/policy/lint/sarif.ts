import type { Remark } from './remark.ts';
import { lintCatalogue, type LintCode } from './rules.ts';

/**
 * SARIF 2.1.0 (OASIS), as code reviews show it: rules with help, results with file and line. `base`: what leads from the
 * working folder, where the repository is, to the folder that was read; '' for the same.
 */
export function sarif(remarks: readonly Remark[], version: string, base: string): string {
  const used = [...new Set(remarks.map(({ rule }) => rule))].sort();
  const log = {
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'sallyport policy lint', version, rules: used.map(ruleOf) } },
        results: remarks.map(({ rule, level, where, detail }) => {
          const colon = where.lastIndexOf(':');
          return {
            ruleId: rule,
            ruleIndex: used.indexOf(rule),
            level,
            message: { text: detail },
            locations: [
              {
                physicalLocation: {
                  artifactLocation: { uri: uriOf(base, where.slice(0, colon)) },
                  region: { startLine: Number(where.slice(colon + 1)) },
                },
              },
            ],
          };
        }),
      },
    ],
  };
  return JSON.stringify(log, null, 2);
}

function uriOf(base: string, file: string): string {
  const parts = `${base}/${file}`.split('/').filter((part) => part !== '' && part !== '.');
  return `${base.startsWith('/') ? '/' : ''}${parts.map(encodeURIComponent).join('/')}`;
}

function ruleOf(id: LintCode): object {
  const { title, why, fix, level } = lintCatalogue[id];
  return {
    id,
    shortDescription: { text: title },
    fullDescription: { text: why },
    help: { text: fix },
    defaultConfiguration: { level },
  };
}
