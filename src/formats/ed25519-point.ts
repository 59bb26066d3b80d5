/** y-coordinates of the points of small order on Ed25519 (8 points, sign bit cleared), little-endian. */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);
/** 2^255 − 19, little-endian: a y at or above it is a second encoding of a smaller one (RFC 8032 section 5.1.3). */
const FIELD = Buffer.from('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'hex').reverse();

/**
 * Whether 32 bytes may be an Ed25519 public key: the one encoding of a point that is not of small order. For a point of
 * small order one signature fits many messages, so its holder could deny what was signed. Not checked: that the point
 * is on the curve, which verification finds.
 */
export function isSoundEd25519(encoded: Uint8Array): boolean {
  if (encoded.length !== 32) return false;
  const y = Buffer.from(encoded);
  y[31] = (y[31] ?? 0) & 0x7f;
  if (SMALL_ORDER.has(y.toString('hex'))) return false;
  return Buffer.compare(y.reverse(), FIELD) < 0;
}
