import type { NoteSigner } from '#trust';

/** What the ledger needs to sign checkpoints and statements: `ledgerSigner` of #trust, or a test's own. */
export type LogSigner = Pick<NoteSigner, 'name' | 'keyHash' | 'sign' | 'vkey' | 'keyid'>;
