/** The APIs in which policies can be written. */
export const RENDERINGS = ['kubernetes', 'cluster', 'calico', 'cilium'] as const;
export type Rendering = (typeof RENDERINGS)[number];
