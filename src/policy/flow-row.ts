import { rangeText } from './addresses.ts';
import { type DeclaredFlow, endText, type FlowEnd, portRuleText } from './flow-set.ts';

/** A flow of a FlowSet as a register writes and signs it (docs/spec/flow-register.md): the keys in this order. */
export interface FlowRow {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** `8080/tcp`. */
  readonly ports: readonly string[];
  readonly direction: string;
  readonly http?: readonly { readonly methods: readonly string[]; readonly paths: readonly string[] }[];
}

export function flowRow({ id, from, to, ports, direction, http }: DeclaredFlow): FlowRow {
  return {
    id,
    from: whole(from),
    to: whole(to),
    ports: ports.map(portRuleText),
    direction,
    ...(http.length === 0 ? {} : { http: http.map(({ methods, paths }) => ({ methods, paths })) }),
  };
}

/** Addresses one by one, for a signature covers each of them. */
function whole(end: FlowEnd): string {
  if (end.is !== 'addresses') return endText(end);
  const except = end.except.length === 0 ? '' : ` except ${end.except.map(rangeText).join(', ')}`;
  return `${end.blocks.map(rangeText).join(', ')}${except}`;
}
