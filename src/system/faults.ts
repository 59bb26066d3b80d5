import { type Catalogue, faultsOf } from '#kernel';

export const systemCatalogue = {
  'home.missing': {
    title: 'There is no Sallyport home here.',
    fix: "Make one with 'sallyport init --home DIR', or name an existing one with --home or SALLYPORT_HOME.",
  },
  'home.open-mode': {
    title: 'The home, or a key in it, can be read or written by others.',
    fix: "Find out who could read it. If that is nobody, 'chmod 700 HOME && chmod 600 HOME/keys/*'; otherwise treat its keys as known and make new ones.",
  },
} as const satisfies Catalogue;

export const systemFault = faultsOf(systemCatalogue);
