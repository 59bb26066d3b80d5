export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/**
 * Canonical base64 (RFC 4648 section 4, with padding), or undefined. Node's own decoder skips junk and whitespace,
 * takes the URL alphabet, ignores what follows padding and the unused low bits: several texts for the same bytes, and a
 * digest over the text would not be one over the bytes. Encoding again and comparing leaves exactly one.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
