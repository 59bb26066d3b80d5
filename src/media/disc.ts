import { readIso } from './iso9660.ts';
import type { MediumBytes } from './medium-bytes.ts';
import { refuse } from './problem.ts';
import { readUdf } from './udf.ts';
import { placesOf, type Spending, type Volume } from './volume.ts';

/** Where the volume structures of a disc begin (ECMA-119 section 6.2.1, ECMA-167 2/8.3). */
const RECOGNITION = 32 * 1024;
const STRUCTURES = 64;

/**
 * A disc: ISO 9660, UDF, or both over the same files, as burning programs write them. Undefined where there is neither.
 * Where there are both, they must name the same files in the same places.
 */
export async function readDisc(bytes: MediumBytes, spending: Spending, where: string): Promise<Volume | undefined> {
  let iso = false;
  let udf = false;
  const read = async (at: number): Promise<string> => (await bytes.upTo(at, 6, where)).toString('latin1', 1);
  for (const step of [2048, 4096]) {
    for (let number = 0; number < STRUCTURES; number++) {
      const name = await read(RECOGNITION + number * step);
      if (name === 'CD001') iso = true;
      else if (name === 'NSR02' || name === 'NSR03') udf = true;
      else if (!['BEA01', 'TEA01', 'BOOT2', 'CDW02'].includes(name)) break;
    }
    if (udf) break;
  }
  if (!iso && !udf) return undefined;
  if (!iso) return readUdf(bytes, spending);
  const one = await readIso(bytes, spending);
  if (!udf) return one;
  const other = await readUdf(bytes, spending);
  const here = placesOf(one.entries);
  const there = placesOf(other.entries);
  if (here.length !== there.length || here.some((place, index) => place !== there[index])) {
    refuse('media.two-systems', where, 'Its ISO 9660 and its UDF do not name the same files.');
  }
  return other;
}
