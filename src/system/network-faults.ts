import { type Catalogue, faultsOf } from '#kernel';

export const networkCatalogue = {
  'network.unreachable': {
    title: 'The address could not be reached.',
    fix: 'See that the network is up and that the proxy settings (HTTPS_PROXY, NO_PROXY, or those of the client) fit; then run the same command again. What was finished is kept.',
  },
  'network.refused': {
    title: 'The server refused to give what was asked for.',
    fix: 'See that the address is right and that your credentials for this host are known to the client and still valid.',
  },
  'network.redirect': {
    title: 'The server sent us on to an address that cannot be followed.',
    fix: 'Ask who runs the server; a redirect from https to http, in a ring, or to another scheme is not followed.',
  },
  'network.too-large': {
    title: 'The answer is larger than what is being asked for can be.',
    fix: 'See that the address is right; if the server is right too, this version cannot read it.',
  },
  'network.certificate': {
    title: 'The certificate of the server is not trusted.',
    fix: "Give the client your organisation's authority: npm config set cafile FILE, pip config set global.cert FILE, or NODE_EXTRA_CA_CERTS.",
  },
  'network.settings': {
    title: "The client's own settings could not be read.",
    fix: 'Run the command that is named by hand, put right what it says, and run this one again.',
  },
} as const satisfies Catalogue;

export const networkFault = faultsOf(networkCatalogue);
