import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArchiveProblem, randomBytesOf, sourceOf } from './byte-source.ts';
import { xzExpanded } from './xz.ts';

// Made by liblzma 5.4 of one text: presets 6 and 1, and a dictionary of 4 KiB with lc 1, lp 2, pb 1.
const content = Buffer.from(
  Array.from({ length: 99 }, (_, at) => `${at} bottles of beer on the wall, ${at * at} bottles of beer; `).join(''),
);
const made: Readonly<Record<string, string>> = {
  crc64:
    '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4BSpAaVdABgICMfiIZiaCk5bkq/Vy14LZ1GHF3mzOkeaG4SgKXo/N5wOnPo6nIct+P+k' +
    'Ljl9V1Dc5ujwqe8oNgHeSlKiusOSDQ18BUUuGI6sgQvxou2c0YZiEbTaxSKy9b4u/kQDfrQTZvyfQrsv/uCnY/Tjdm1mb/KrO4Rs' +
    '4rstprtTAr4fGblQ1SHoXGB+n03oj4KC06HojhLnio/4sbC4ZgaWx8uYPj0aPifu0fp4Zm4EUx1WEgeBTuQtdi1jTDdBetSylpT5' +
    'ns62Jxpk2EC+J53etpk0qZhk+yejvGM7NzMuJz6HnY4pxSnwut8QA3e6zVwLIz4dDmbZj8C0ozjKhiY5r/YP8ZOhoyY58/MSiL1F' +
    'AVx79CnHiDGtPKW/5WriqjQ4VpsYsnb/uNrRHkF4TvdM0fXKfWg42YlYMDbEhv9wXULa+r3caihu1Fa/a6QOniHFDAU99XZ0z/D+' +
    'TprXPAhsrM2x59CjX0fGeygAnpBJFP6VIoPq+2U4SjV+Dt+snRwXYOmZ3tOQNHcYwQNAm73p90o9RgAGjaFRWa7gtNB8IJ6PAueR' +
    '3wAAAAAAI7n/frtDH9sAAcEDqikAABLnC0uxxGf7AgAAAAAEWVo=',
  crc32:
    '/Td6WFoAAAFpIt42AgAhARAAAACocI6G4BSpAcRdABgICMfiHP8UGoGI1zsY+0fNlSHmZGI0Lf6RqxOz9+6SixiayKtGLBosVsRO' +
    'd7qvFFBpkM3URY8qEMrphekVQI5r1quv+Z0Mk3MPB3irt5u5t7T3JeMLkMbflIZbkymfsMj+jKUJyiajEBovyZA8NJgGr9ER89zM' +
    'cTbYU0AjvqneAG2EHSvIdL6rWKtifSWLo4mR60JXk2wWtwEV80C1nsS9ZG1G8Ooend2KPwb9NGG0mL3ICFqNLC33LpIZMaXx4kjv' +
    '+VQxTRK7Iv2sAC4ipiYBpNlqYWLFpwqXHC+tUL+7DBlzXtxSwmaM+SQ3HfIDAegM6HSqOrzvCSbhNu85r50GKvyVELs9BsBmJmTC' +
    'tTzPha0nCT3VPLvXCeRECzxjsON3NPjhRt3oHM0T/I2HhaD7X09vz4gZDWCv0g8kXyOhUgCdLFGJKdpBiIJo2PuPbN3VyKpgDZ30' +
    'qQA8XddhMxPLwEmd1M82jF0cQ1bH7DyFN/0M7VNPDDDU6j469L6oSuFNOVzjXPK4MZS5hJkePjJcb3OgvsDRShDx0pCTLonQ5oU+' +
    'zHc8oHFnf9i0AZhO5ToEEHURgdW0Watm5pPLqipkNOoNAMFX1hIAAdwDqikAAFf2Q/Q+MA2LAgAAAAABWVo=',
  sha256:
    '/Td6WFoAAArh+wyhAgAhAQAAAAA3J5fW4BSpAfJAABgICKlk/tjoyHS4YUbfDh8gsE1H68f1cWVRjRnYjF0PPRqTwlWBOtM8EJVC' +
    'Rr/93gbusWIpIpRlqgEA2yAcB5jEET27dZNdDaCOPAn9wFojagRa+rDJHzB8NQnkxZt8vYptsTm9m37NhQO1GQJmdD6B+hveEHwm' +
    'G9bOwsDNkso9vVk2S5OK5MlDzrdp6RPIo9vNTJUqhGxJOOueEm3rJIw6X/Na1uQoY0dUIhxM09AOv51pcf+mJuz0vc81wTH+yaPy' +
    'Mh24Y9MhlGyQafpPsBQALOEjatIEEF+QqiXBxNhbPkC1sLbRchiX/E/FdZwcgNU3lMTroO3CbN9doxFvh9tTiqTmKodq4TiEheEC' +
    'yPmS203AdgSW8Cda6/kNWG+X2xmkjbLtJJxaXDVXOr7lKLgZyaY00lVk7kI7YjB6IQHgyUEoswxBxkwgdrzUfq6+W9+LCSxiAJp2' +
    'g48u54Rd/ylWSqG/cTcDzZCA6Ljef9nbhTqm7OQ25dOTe/OkBFWRiYj4ChYo9gfSMv5u3tAMGnlpZWD36GuPRgp4+e1kvspAfMdS' +
    'USKNplHUBTt2mtx0fpdf2x6OCLjkcJPTcO8ORDAy3YUXWm0fsya0T2LseO1qQ6kYFXuhamZgTlrAwq9gkQ+8ZpT7ryAZh2l1VOub' +
    '4ZqbuQAAAF77dkVoAd1uJyMoFHAOjzyoKDJiBNk5wYHjZeNOGN56AAGmBKopAADgBNrstunfHAIAAAAAClla',
};
const otherFilter = '/Td6WFoAAATm1rRGAgEEACEBFgANhjUf4ABjAAZdADxungAAAAAAAFmzcVcWqutkAAEiZEpW680ftvN9AQAAAAAEWVo=';
const wideDictionary = '/Td6WFoAAATm1rRGAgAhAR4AAACbB1Fm4ABjAAZdADxungAAAAAAAFmzcVcWqutkAAEiZEpW680ftvN9AQAAAAAEWVo=';
const empty = '/Td6WFoAAATm1rRGAAAAABzfRCEftvN9AQAAAAAEWVo=';

async function expand(bytes: Uint8Array): Promise<Buffer | string> {
  const source = xzExpanded(sourceOf(randomBytesOf(bytes), 0, bytes.length, 100), () => undefined);
  const parts: Uint8Array[] = [];
  try {
    for (let part = await source.some(1000); part !== undefined; part = await source.some(1000)) parts.push(part);
  } catch (error) {
    if (!(error instanceof ArchiveProblem)) throw error;
    return error.trouble;
  }
  return Buffer.concat(parts);
}

test('what liblzma compresses is expanded, with each kind of check', async () => {
  for (const [name, text] of Object.entries(made)) {
    assert.deepEqual(await expand(Buffer.from(text, 'base64')), content, name);
  }
  assert.deepEqual(await expand(Buffer.from(empty, 'base64')), Buffer.alloc(0));
});

test('every changed bit and every cut is seen', async () => {
  for (const [name, text] of Object.entries(made)) {
    const bytes = Buffer.from(text, 'base64');
    // One of them whole, the others in steps.
    for (let at = 0; at < bytes.length; at += name === 'crc64' ? 1 : 7) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      assert.equal(typeof (await expand(flipped)), 'string', `${name}: bit ${at % 8} of byte ${at}`);
      assert.equal(typeof (await expand(bytes.subarray(0, at))), 'string', `${name} cut at ${at}`);
    }
  }
});

test('what follows, other filters and large dictionaries are told apart', async () => {
  const bytes = Buffer.from(made['crc64']!, 'base64');
  assert.equal(await expand(Buffer.concat([bytes, bytes])), 'concatenated');
  assert.equal(await expand(Buffer.concat([bytes, Buffer.from('x')])), 'trailing');
  assert.equal(await expand(Buffer.concat([bytes, Buffer.alloc(4)])), 'trailing', 'stream padding');
  assert.equal(await expand(Buffer.from(otherFilter, 'base64')), 'unreadable');
  assert.equal(await expand(Buffer.from(wideDictionary, 'base64')), 'unreadable');
  assert.equal(await expand(Buffer.from('no xz at all')), 'header');
});
