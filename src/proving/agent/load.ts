import type { Load, Request } from '../protocol.ts';
import type { Prober } from './prober.ts';
export function runLoad(_prober: Prober, _nft: string, _request: Request & { do: 'load' }): Promise<Load> {
  throw new Error('later');
}
