import { type Catalogue, faultsOf } from '#kernel';

export const depotCatalogue = {
  'depot.listen-malformed': {
    kind: 'usage',
    title: 'The address to listen on cannot be read.',
    fix: "Write '--listen ADDRESS:PORT', for example 127.0.0.1:4873, [::1]:4873, or 127.0.0.1:0 for any free port.",
  },
  'depot.open-to-others': {
    kind: 'usage',
    title: 'The depot would answer others than this machine without knowing who asks.',
    fix: "Give '--tls-cert FILE --tls-key FILE --token-file FILE', or listen on 127.0.0.1. '--insecure-no-auth' says that everybody who reaches the address may have what is inside.",
  },
  'depot.tls-incomplete': {
    kind: 'usage',
    title: 'A certificate and its key belong together.',
    fix: "Give both '--tls-cert FILE' and '--tls-key FILE'.",
  },
  'depot.tls-unusable': {
    title: 'The certificate or its key cannot be used.',
    fix: 'Give a PEM file with the certificate first and its intermediates after it, and the PEM key that belongs to it, without a passphrase.',
  },
  'depot.tokens-malformed': {
    title: 'The file of tokens cannot be read.',
    fix: "Write one token a line, 16 to 512 visible characters without spaces, if wanted with a name and a space before it; lines that begin with '#' are comments.",
  },
  'depot.tokens-open': {
    title: 'Others can read the file of tokens.',
    fix: "Make new tokens, and close the file: 'chmod 600 FILE'.",
  },
  'depot.cannot-listen': {
    title: 'The address cannot be listened on.',
    fix: "If it is in use, stop the other program or choose another port with '--listen'; port 0 takes any free one.",
  },
  'depot.unknown-client': {
    kind: 'usage',
    title: 'No configuration is known for this client.',
    fix: "'sallyport client-config' without a name lists the clients.",
  },
  'depot.base-malformed': {
    kind: 'usage',
    title: "The depot's address cannot be read.",
    fix: "Write '--url http://HOST:PORT' or '--url https://HOST:PORT', without path and credentials.",
  },
} as const satisfies Catalogue;

export const depotFault = faultsOf(depotCatalogue);
