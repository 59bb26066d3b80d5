import { type Catalogue, faultsOf } from '#kernel';

export const trustCatalogue = {
  'trust.no-root': {
    title: 'No root is pinned here and none was given.',
    fix: "Pin the other side's root once with 'sallyport trust pin ROOT', or name one for this command with --root ROOT.",
  },
  'trust.not-a-root': {
    title: 'The file is not a root document.',
    fix: "A root is a file like trust/root.1.dsse.json in a home. 'sallyport trust show --home HOME' prints where it is; copy that file again.",
  },
  'trust.chain-broken': {
    title: 'The roots in this home do not follow one another.',
    fix: 'Somebody or something changed files in HOME/trust. Restore that folder from a backup, or make a new home and pin the root again.',
  },
  'trust.side-exists': {
    title: 'This home has keys and a root already.',
    fix: 'Use it as it is, or name another folder with --home. Sallyport never overwrites keys.',
  },
  'trust.home-open': {
    title: 'The folder for the home can be read or written by others.',
    fix: "Close it with 'chmod 700 HOME', or name a folder that does not exist yet.",
  },
  'trust.site-name': {
    title: 'The site name cannot be used.',
    fix: 'Use 1 to 64 of the characters a-z, 0-9, dot and hyphen, beginning with a letter or a digit.',
    kind: 'usage',
  },
  'trust.key-missing': {
    title: 'There is no key file here.',
    fix: "Name an existing private key, or make a home with 'sallyport init --home DIR'.",
  },
  'trust.key-open-mode': {
    title: 'The private key can be read or written by others.',
    fix: "Find out who could read it. If that is nobody, 'chmod 600 FILE'; otherwise treat the key as known and replace it.",
  },
  'trust.key-unreadable': {
    title: 'The key file holds no private key that can be used.',
    fix: 'Give a PKCS#8 PEM file of an Ed25519, ECDSA P-256, ECDSA P-384, ML-DSA-65 or ML-DSA-87 key, whole and unchanged; restore it from a backup if it is damaged.',
  },
  'trust.key-exists': {
    title: 'There is a key in this place already.',
    fix: 'Name another file. Sallyport never overwrites keys.',
  },
  'trust.passphrase-needed': {
    title: 'The private key is encrypted, and its passphrase was not given.',
    fix: 'Put the passphrase on the first line of a file that only you can read (chmod 600) and name it with --passphrase-file FILE or SALLYPORT_PASSPHRASE_FILE, or run the command on a terminal, which asks for it unseen.',
  },
  'trust.passphrase-wrong': {
    title: 'The passphrase does not open the private key.',
    fix: 'Name the file with the right passphrase; a damaged key file gives the same answer, so compare it with its backup.',
  },
  'trust.passphrase-file': {
    title: 'The passphrase cannot be used.',
    fix: 'Put one passphrase of 8 to 1,024 characters on its first line, in a plain file that only you can read (chmod 600).',
  },
  'trust.passphrases-differ': {
    title: 'The two passphrases are not the same.',
    fix: 'Run the command again; nothing was written.',
    kind: 'usage',
  },
  'trust.not-a-public-half': {
    title: 'The file is not the public half of a key.',
    fix: "Give the file FILE.pub.json that 'sallyport trust key new FILE' wrote, whole and unchanged.",
  },
  'trust.holder-name': {
    title: 'The name cannot be that of a holder.',
    fix: 'Use 1 to 128 printable characters, without space at either end.',
    kind: 'usage',
  },
  'trust.proposal': {
    title: 'The root cannot be changed in this way.',
    fix: "Compare with 'sallyport trust show', which prints holders, roles and thresholds, and propose again.",
    kind: 'usage',
  },
  'trust.duties-apart': {
    title: 'One holder would have two duties that must be apart.',
    fix: 'Give one of them to another person: with shared custody nobody has two of sealer, carrier, receiver, approver and auditor, and the key of the ledger has no other role.',
    kind: 'usage',
  },
  'trust.draft-exists': {
    title: 'There is a file in this place already.',
    fix: 'Name another file for the draft, or move that one away: it may hold signatures that people gave.',
    kind: 'usage',
  },
  'trust.not-a-draft': {
    title: 'The file is not the draft of a root.',
    fix: "Give a file that 'sallyport trust propose' wrote, or a root, whole and unchanged; copy it again if it was damaged on the way.",
  },
  'trust.drafts-differ': {
    title: 'The drafts are not of the same root.',
    fix: 'Only signatures of one and the same draft come together: compare the fingerprints that sallyport trust show DRAFT prints, and have one of them signed by all.',
    kind: 'usage',
  },
  'trust.key-not-of-root': {
    title: 'The key can sign neither for the old root nor for the new one.',
    fix: "Sign with the key of a holder whom 'sallyport trust show DRAFT' lists for the role root.",
    kind: 'usage',
  },
  'trust.key-unknown': {
    title: "The key belongs to no holder who has this role in the side's root.",
    fix: "Use a key that the root names for this role ('sallyport trust show' lists them), or have the root's holders add it.",
  },
  'trust.token': {
    title: 'The key on the token cannot be used.',
    fix: "Name it as pkcs11:token=NAME;object=LABEL?module-path=/path/of/module.so ('pkcs11-tool --module … -O' lists what a token has; the program comes with OpenSC). A token that is locked is unlocked by its own tools.",
  },
  'trust.agent': {
    title: 'The key of the ssh-agent cannot be used.',
    fix: "Start an agent and add the key ('ssh-add'), then name it as ssh-agent: and its comment or fingerprint, as 'ssh-add -l' lists them.",
  },
  'trust.key-differs': {
    title: "The ledger's key is not the one that its verifier key names.",
    fix: 'HOME/keys/ledger.key and HOME/trust/ledger.vkey were made together; restore both from the same backup.',
  },
  'trust.not-a-ceremony': {
    title: 'The file is not a ceremony, or it breaks a rule of one.',
    fix: "Give a file that 'sallyport trust ceremony open' wrote, or a copy of it, whole and unchanged; docs/spec/ceremony.md lists the rules.",
  },
  'trust.ceremony-step': {
    title: 'The step cannot be taken in this ceremony now.',
    fix: "'sallyport trust ceremony show FILE' prints what was done and what is missing; docs/operate/root-ceremony.md is the checklist.",
    kind: 'usage',
  },
  'trust.ceremony-online': {
    title: 'The ceremony forbids a network, and this machine has one.',
    fix: 'Take the cables and the radio out, or use a machine without; only a ceremony that was opened with --allow-network can be held on this one, and says so.',
  },
  'trust.ceremony-unattested': {
    kind: 'reason',
    title: 'Too few have signed the transcript of the ceremony.',
    fix: "Have those who took part, and every witness, read it and sign it: 'sallyport trust ceremony attest FILE --key KEY'.",
  },
  'trust.crypto-profile': {
    title: 'The crypto profile cannot be understood.',
    fix: "Mend crypto.yaml in the home, or the file that SALLYPORT_CRYPTO names ('docs/spec/crypto-profile.md' describes it); until then nothing is signed or verified.",
  },
  'trust.crypto-module': {
    title: 'The crypto profile does not let this module do the operation.',
    fix: "Use a module that it allows ('sallyport trust show' lists them): a key on a token, or OpenSSL with its FIPS provider active, named in OPENSSL_CONF.",
  },
  'trust.algorithm-outside': {
    title: 'The crypto profile does not sign by this algorithm.',
    fix: "Make or name a key of an algorithm that it allows; 'sallyport trust show' lists them.",
  },
  'trust.key-derivation': {
    title: 'The key file is not encrypted as the crypto profile demands.',
    fix: "Open it with the tool that made it and encrypt it again ('openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000' writes PBKDF2), or make a new key here.",
  },
  'trust.algorithm': {
    kind: 'reason',
    title: 'It is signed by an algorithm that the crypto profile of this side does not verify.',
    fix: "Have it signed by keys of an algorithm that the profile allows ('sallyport trust show' lists them), or have the profile changed by whoever is responsible for it.",
  },
  'trust.fingerprint-needed': {
    title: 'Pinning a root needs its fingerprint, and nobody can be asked here.',
    fix: "Get the fingerprint from the root's owner by another way than the file ('sallyport trust show' prints it there) and give it with --fingerprint HEX.",
    kind: 'usage',
  },
  'trust.fingerprint-form': {
    title: 'A fingerprint is 64 hex digits.',
    fix: "Copy it whole from 'sallyport trust show' of the root's owner.",
    kind: 'usage',
  },
  'trust.root-expired': {
    title: 'The root has expired.',
    fix: "Ask the root's holders for its next version, and check that this machine's clock is right ('date').",
    kind: 'reason',
  },
  'trust.foreign-root': {
    title: "The root is not on the chain that this side pinned: it is somebody else's.",
    fix: "Compare both fingerprints ('sallyport trust show'). A side follows one chain; make another home for another chain.",
    kind: 'reason',
  },
  'trust.rehearsal-root': {
    title: 'The root was made for a rehearsal and counts only in a home made for one.',
    fix: "Seal with keys of a real side ('sallyport init --home DIR'); rehearsal keys are known to whoever could read the rehearsal.",
    kind: 'reason',
  },
  'trust.root-malformed': {
    title: 'The root document breaks the rules of its format.',
    fix: 'Have its holders write it again; docs/spec/root.md lists the rules.',
    kind: 'reason',
  },
  'trust.root-unsigned': {
    title: 'The root is not signed by as many of its own root holders as it demands.',
    fix: 'Have the missing holders sign it, or copy the file again if it was damaged on the way.',
    kind: 'reason',
  },
  'trust.root-gap': {
    title: 'The next root is not the next version of the one before.',
    fix: 'Bring every version in between; each is signed by the one before and by itself.',
    kind: 'reason',
  },
  'trust.root-not-succeeded': {
    title: 'The newer root is not signed by as many holders of the older one as that demands.',
    fix: 'Have the holders of the older root sign the newer one.',
    kind: 'reason',
  },
  'trust.revocation-dropped': {
    title: 'The newer root forgets a key that the older one revoked.',
    fix: 'Have it proposed again from the older root: what is revoked stays revoked.',
    kind: 'reason',
  },
  'trust.succeeds': {
    kind: 'reason',
    title: 'The root follows the one that is here: nothing has to begin again.',
    fix: "Take it with 'sallyport trust accept'.",
  },
  'trust.sigstore-usage': {
    kind: 'usage',
    title: 'It is not said by what the bundle is to be judged.',
    fix: 'Name --key FILE; or --identity, --issuer and --trusted-root, all three.',
  },
  'trust.sigstore-malformed': {
    kind: 'reason',
    title: 'The Sigstore bundle is no strict JSON.',
    fix: 'Get it again from where it was published. Readers that are lenient about JSON see different bundles in one file.',
  },
  'trust.sigstore-root': {
    kind: 'reason',
    title: 'The trusted root cannot be used.',
    fix: 'Bring trusted_root.json of the instance that signed, as its TUF repository gives it.',
  },
  'trust.sigstore': {
    kind: 'reason',
    title: 'The Sigstore bundle does not hold.',
    fix: 'Do not use the artifact. Compare identity and issuer with what its makers publish; if they fit, ask them.',
  },
  'trust.sigstore-subject': {
    kind: 'reason',
    title: 'The attestation is about something else.',
    fix: 'It is signed, and not about this file: get the one that belongs to it.',
  },
  'trust.tuf-usage': {
    kind: 'usage',
    title: 'It is not said what is to be read of the TUF repository.',
    fix: 'Name a folder with metadata/ and targets/, a root that you trust with --root, and --target together with -o.',
  },
  'trust.tuf-malformed': {
    kind: 'reason',
    title: 'Metadata of the TUF repository cannot be understood, or not in one way.',
    fix: 'Fetch the repository again. Metadata that name a key twice or repeat a JSON key are refused on purpose.',
  },
  'trust.tuf-missing': {
    kind: 'reason',
    title: 'A file of the TUF repository is missing.',
    fix: 'Copy the whole repository, all of metadata/ and the targets that are wanted, before it crosses.',
  },
  'trust.tuf-signatures': {
    kind: 'reason',
    title: 'Too few keys signed metadata of the TUF repository.',
    fix: 'Use nothing of it. Get the repository again from its source, and the first root by another way.',
  },
  'trust.tuf-expired': {
    kind: 'reason',
    title: 'Metadata of the TUF repository have expired.',
    fix: 'Bring a newer copy. To judge what was right when it was copied, name that time with --at.',
  },
  'trust.tuf-version': {
    kind: 'reason',
    title: 'Metadata of the TUF repository have another version than they should.',
    fix: 'Files of two states were mixed, or somebody moved one back: get the whole repository again.',
  },
  'trust.tuf-digest': {
    kind: 'reason',
    title: 'A file of the TUF repository is not the one that its metadata name.',
    fix: 'It was damaged or replaced. Get it again from its source.',
  },
  'trust.root-site': {
    title: 'The newer root names another site.',
    fix: 'A chain belongs to one site. Pin the other root in a home of its own.',
    kind: 'reason',
  },
  'trust.root-needs-newer': {
    title: 'The root needs a newer Sallyport.',
    fix: 'Bring a bundle that carries the newer Sallyport, update, and try again.',
    kind: 'reason',
  },
  'trust.envelope-malformed': {
    title: 'The signed envelope breaks the rules of its format.',
    fix: 'It was damaged or made by something else; have it made and carried again. docs/spec/envelope.md lists the rules.',
    kind: 'reason',
  },
  'trust.payload-type': {
    title: 'The envelope holds another kind of document than is due here.',
    fix: 'Have the right document made and carried again.',
    kind: 'reason',
  },
  'trust.duplicate-signature': {
    title: 'One key signed the envelope twice.',
    fix: 'Have it signed again, once by each holder.',
    kind: 'reason',
  },
  'trust.bad-signature': {
    title: 'A signature by a key of the root does not fit the bytes.',
    fix: 'The document was changed after it was signed, or the signature was. Have it made and carried again.',
    kind: 'reason',
  },
  'trust.foreign-key': {
    title: 'It is signed by keys that the root does not name.',
    fix: 'Find out who signed it. If it comes from another site, that site’s root has to be given or pinned in a home of its own.',
    kind: 'reason',
  },
  'trust.revoked-key': {
    title: 'It is signed by a key that the root revoked.',
    fix: 'Do not use it. Find out where it comes from, and have it made again by holders of the present root.',
    kind: 'reason',
  },
  'trust.wrong-role': {
    title: 'It is signed by a holder who has not this role.',
    fix: 'Have it signed by a holder whom the root lists for this role.',
    kind: 'reason',
  },
  'trust.threshold': {
    title: 'Too few holders signed it.',
    fix: 'Have more of the holders whom the root lists for this role sign it.',
    kind: 'reason',
  },
  'trust.fingerprint-differs': {
    title: 'The root has another fingerprint than the one given.',
    fix: "Do not use this file. Ask the root's owner for the fingerprint again, by another way than the file, and for the file.",
    kind: 'reason',
  },
  'trust.pinned-other': {
    title: 'This side pinned another root already.',
    fix: 'A side pins once. New versions of its own root arrive in bundles; for another chain make another home.',
    kind: 'reason',
  },
} as const satisfies Catalogue;

export type TrustCode = keyof typeof trustCatalogue;

export const trustFault = faultsOf(trustCatalogue);
