import { z } from 'zod';
import { printable } from '#kernel';
import type { SealStatement } from './seal-statement.ts';

/** A reason as verdicts carry it. */
export const reasonShape = z.object({ code: z.string(), where: z.string(), detail: z.string() });

/** What a seal says, as our commands print it. */
export const sealShape = z.object({
  index: z.string(),
  lock: z.string(),
  channel: z.string(),
  sequence: z.number(),
  sealed: z.string(),
  project: z.string(),
  site: z.string(),
  destinations: z.array(z.string()),
  rings: z.array(z.object({ ring: z.string(), sites: z.array(z.string()) })),
  blobs: z.number(),
  bytes: z.number(),
});
export type SealSummary = z.infer<typeof sealShape>;

export function summaryOf(seal: SealStatement): SealSummary {
  const { index, lock, channel, sequence, sealed, project, site, destinations, rings, blobs, bytes } = seal;
  return {
    index,
    lock,
    channel: printable(channel),
    sequence,
    sealed,
    project: printable(project),
    site: printable(site),
    destinations: destinations.map(printable),
    rings: rings.map(({ ring, sites }) => ({ ring: printable(ring), sites: sites.map(printable) })),
    blobs,
    bytes,
  };
}

/** A number of bytes as people read it: `1.2 MB`. */
export function amount(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
