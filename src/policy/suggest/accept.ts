import { isSeq, parseDocument } from 'yaml';
import type { Proposal } from './proposal.ts';

const EMPTY = 'sallyport-flows: "1.0"\nflows: []\n';

/** A FlowSet file with accepted proposals behind its flows; everything else in it stays as it is written. */
export function withAccepted(
  file: string | undefined,
  proposals: readonly Proposal[],
  {
    by,
    owner,
    reason,
    day,
  }: { readonly by: string; readonly owner: string; readonly reason?: string | undefined; readonly day: string },
): string {
  const document = parseDocument(file ?? EMPTY);
  let flows = document.get('flows', true);
  if (!isSeq(flows)) {
    document.set('flows', document.createNode([]));
    flows = document.get('flows', true);
  }
  if (!isSeq(flows)) throw new Error('a list of flows was set and is not there');
  flows.flow = false;
  for (const { id, from, to, port, evidence } of proposals) {
    const first = evidence[0]!;
    flows.add(
      document.createNode({
        id,
        from,
        to,
        ports: [port],
        reason: reason ?? `${first.detail} (${first.where})`,
        owner,
        accepted: `${by}, ${day}`,
      }),
    );
  }
  return document.toString({ lineWidth: 0 });
}
