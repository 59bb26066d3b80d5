import { ENVELOPE_SIGNATURES_LIMIT } from '../envelope.ts';

/** An envelope that is malformed in one way. */
export interface EnvelopeLie {
  /** Begins with the rule of docs/spec/envelope.md that is broken. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Where a reader finds it; undefined where the whole is no such document. */
  readonly where: string | undefined;
}

/** A good envelope, made wrong in every way that the rules name. */
export function envelopeLies(good: Uint8Array): readonly EnvelopeLie[] {
  const text = Buffer.from(good).toString('utf8');
  const envelope = JSON.parse(text) as {
    payloadType: string;
    payload: string;
    signatures: { keyid: string; sig: string }[];
  };
  const [first] = envelope.signatures;
  if (first === undefined) throw new TypeError('the good one has no signature');
  const json = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`, 'utf8');
  const over = (name: string, change: object, where: string): EnvelopeLie => {
    return { name, bytes: json({ ...envelope, ...change }), where };
  };
  const signed = (name: string, change: object, at: string): EnvelopeLie =>
    over(name, { signatures: [{ ...first, ...change }, ...envelope.signatures.slice(1)] }, `$.signatures[0].${at}`);
  const whole = (name: string, bytes: string): EnvelopeLie => {
    return { name, bytes: Buffer.from(bytes, 'utf8'), where: undefined };
  };
  return [
    whole('ENV-1 nothing', ''),
    whole('ENV-1 a list', '[]'),
    whole('ENV-1 null', 'null'),
    whole('ENV-1 a text', '"x"'),
    whole('ENV-1 no keys', '{}'),
    whole('ENV-1 a key missing', JSON.stringify({ payload: envelope.payload })),
    whole('ENV-1 a key twice', text.replace('{', '{"payloadType":"a",')),
    whole('ENV-1 something after it', `${text}{}`),
    over('ENV-2 white space', { payload: `${envelope.payload.slice(0, 2)} ${envelope.payload.slice(2)}` }, '$.payload'),
    over('ENV-2 line end', { payload: `${envelope.payload}\n` }, '$.payload'),
    over('ENV-2 no padding', { payload: 'aGk' }, '$.payload'),
    over('ENV-2 URL alphabet', { payload: '_-8=' }, '$.payload'),
    over('ENV-2 data after padding', { payload: 'aGk=aGk=' }, '$.payload'),
    over('ENV-2 unused bits', { payload: 'aGl=' }, '$.payload'),
    over('ENV-2 junk', { payload: 'aGk=!!!!' }, '$.payload'),
    signed('ENV-2 signature', { sig: `${first.sig} ` }, 'sig'),
    over('ENV-3 no type', { payloadType: '' }, '$.payloadType'),
    over('ENV-3 type with a space', { payloadType: 'a b' }, '$.payloadType'),
    over('ENV-3 type is no text', { payloadType: 1 }, '$.payloadType'),
    over('ENV-4 no list', { signatures: {} }, '$.signatures'),
    over('ENV-4 none', { signatures: [] }, '$.signatures'),
    over(
      'ENV-4 too many (CVE-2023-33957)',
      { signatures: Array.from({ length: ENVELOPE_SIGNATURES_LIMIT + 1 }, () => first) },
      '$.signatures',
    ),
    signed('ENV-5 empty signature', { sig: '' }, 'sig'),
    signed('ENV-5 endless signature', { sig: 'AAAA'.repeat(3000) }, 'sig'),
    signed('ENV-5 key id is no text', { keyid: 7 }, 'keyid'),
    signed('ENV-5 key id with a control', { keyid: 'a\u001b[2J' }, 'keyid'),
  ];
}
