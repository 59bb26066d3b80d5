import type { SealStatement } from './seal-statement.ts';

/**
 * The lines that check a bundle without us (docs/spec/bundle.md), for a POSIX shell with tar, openssl 3, zstd and
 * sha256sum. `key` is the file of the sealer's public key, which must have come by another way than the bundle. Run in
 * an otherwise empty folder, to which relative paths are relative, they end with status 0 only if all of it holds, and
 * print `checked`.
 */
export function checkLines(bundle: string, key: string, seal: Pick<SealStatement, 'index'>): string[] {
  const digest = seal.index.slice('sha256:'.length);
  return [
    `tar -xf ${quoted(bundle)} && cd sallyport-bundle || exit 1`,
    `openssl pkeyutl -verify -pubin -inkey ${quoted(key.startsWith('/') ? key : `../${key}`)} -rawin -in envelopes/seal.pae -sigfile envelopes/seal.0.sig || exit 1`,
    `grep -q '"digest":{"sha256":"${digest}"}' envelopes/seal.pae && echo '${digest}  index.jsonl' | sha256sum --check --quiet || exit 1`,
    `sed -n 's/^{"digest":"sha256:\\([0-9a-f]*\\)","size":[0-9]*,"stored":"raw".*/\\1  blobs\\/\\1/p' index.jsonl | { grep . || true; } > raw.sums`,
    `test ! -s raw.sums || sha256sum --check --quiet raw.sums || exit 1`,
    `for blob in $(sed -n 's/^{"digest":"sha256:\\([0-9a-f]*\\)","size":[0-9]*,"stored":"zstd".*/\\1/p' index.jsonl); do test "$(cat blobs/$blob.*.zst | zstd -dc | sha256sum | cut -c1-64)" = "$blob" || exit 1; done`,
    `echo checked`,
  ];
}

/** One word of a POSIX shell, whatever is in it. */
function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
