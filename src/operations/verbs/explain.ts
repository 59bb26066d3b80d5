import type { Catalogue, Implementation } from '#kernel';
import { admitCatalogue } from '#admit';
import { bundleCatalogue } from '#bundle';
import { captureCatalogue } from '#capture';
import { depotCatalogue } from '#depot';
import { filesCatalogue, npmCatalogue, ociCatalogue, pypiCatalogue } from '#ecosystems/list';
import { enclaveCatalogue } from '#enclave';
import { provingCatalogue } from '#proving';
import { gateCatalogue } from '#gate';
import { mediaCatalogue } from '#media';
import { custodyCatalogue } from '#custody';
import { ledgerCatalogue } from '#ledger';
import { lintCatalogue, policyCatalogue } from '#policy';
import { projectCatalogue } from '#project';
import { rehearseCatalogue } from '#rehearse';
import { storeCatalogue } from '#store';
import { networkCatalogue, systemCatalogue } from '#system';
import { trustCatalogue } from '#trust';
import type { ExplainOutput } from '../explain.ts';
import { operationsCatalogue, operationsFault } from '../faults.ts';

/** Every catalogue of the product. A code stands in exactly one. */
export const catalogues: readonly Catalogue[] = [
  operationsCatalogue,
  systemCatalogue,
  networkCatalogue,
  trustCatalogue,
  ledgerCatalogue,
  storeCatalogue,
  projectCatalogue,
  bundleCatalogue,
  captureCatalogue,
  admitCatalogue,
  custodyCatalogue,
  gateCatalogue,
  mediaCatalogue,
  depotCatalogue,
  enclaveCatalogue,
  provingCatalogue,
  rehearseCatalogue,
  policyCatalogue,
  lintCatalogue,
  filesCatalogue,
  npmCatalogue,
  ociCatalogue,
  pypiCatalogue,
];

export const explainVerb: Implementation<{ code?: string | undefined }, ExplainOutput> = {
  async run({ code }) {
    const all = catalogues.flatMap((catalogue) => Object.entries(catalogue));
    const found = code === undefined ? all : all.filter(([name]) => name === code);
    if (found.length === 0) throw operationsFault('explain.unknown', { where: code ?? '' });
    return {
      entries: found.map(([name, { kind, title, fix }]) => ({ code: name, kind: kind ?? 'fault', title, fix })),
    };
  },
  exit: () => 0,
  show({ entries }, style) {
    if (entries.length > 1) {
      return entries.map(({ code, title }) => `${style.bold(code.padEnd(28))} ${title}`).join('\n');
    }
    return entries
      .map(
        ({ code, kind, title, fix }) => `${style.bold(code)} ${style.dim(`(${kind})`)}\n${title}\n\nWhat to do: ${fix}`,
      )
      .join('\n');
  },
};
