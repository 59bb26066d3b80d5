/** Where the folder of a side keeps things. Paths are absolute. */
export interface Home {
  readonly path: string;
  /** Content by digest. */
  readonly store: string;
  /** C2SP tlog-tiles, and `statements/` beside it. */
  readonly ledger: string;
  /** Private keys, 0600. */
  readonly keys: string;
  /** `root.N.dsse.json`: the roots that this side made or pinned. */
  readonly trust: string;
  readonly quarantine: string;
  /** Kept evidence of refusals. */
  readonly refused: string;
  /** SQLite; can be rebuilt from ledger and store. */
  readonly database: string;
}

export function homeAt(path: string): Home {
  return {
    path,
    store: `${path}/store`,
    ledger: `${path}/ledger`,
    keys: `${path}/keys`,
    trust: `${path}/trust`,
    quarantine: `${path}/quarantine`,
    refused: `${path}/refused`,
    database: `${path}/state.db`,
  };
}
