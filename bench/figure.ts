/** One measured figure, beside a peer's from the same run where there is one. */
export interface Figure {
  readonly name: string;
  readonly unit: 's' | 'ms' | 'MB' | 'MB/s' | '1/s' | 'x';
  readonly ours: number;
  readonly peer?: { readonly name: string; readonly value: number };
  /** What was promised: of the ratio ours : peer, or of our own figure where there is no peer. */
  readonly promise?: { readonly atMost: number } | { readonly atLeast: number };
  /** Sizes, versions and whatever else one must know to repeat it. */
  readonly note?: string;
}

/** Ours : peer, or our own figure where there is no peer. */
export function judged({ ours, peer }: Figure): number {
  return peer === undefined ? ours : ours / peer.value;
}

export function holds(figure: Figure): boolean | undefined {
  const { promise } = figure;
  if (promise === undefined) return undefined;
  return 'atMost' in promise ? judged(figure) <= promise.atMost : judged(figure) >= promise.atLeast;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
