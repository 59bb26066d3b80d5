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
  'process.missing': {
    title: 'A program that is needed here is not on this machine.',
    fix: "Run 'sallyport doctor': it says what is missing and what that costs.",
  },
  'tool.missing': {
    title: 'A tool is not on this machine, and cannot be unpacked because apt-get or dpkg-deb is missing.',
    fix: "Install the tool by the machine's own means and run this again. 'sallyport doctor' lists all of them.",
  },
  'tool.no-cache': {
    title: 'There is no place for unpacked tools: neither XDG_CACHE_HOME nor HOME is an absolute path.',
    fix: 'Set HOME, or install the tools on the machine.',
  },
  'tool.fetch': {
    title: "A tool could not be unpacked from this machine's Debian sources.",
    fix: 'On a machine without network, install the tool from your own mirror. Otherwise see what apt-get says above, and run this again.',
  },
} as const satisfies Catalogue;

export const systemFault = faultsOf(systemCatalogue);
