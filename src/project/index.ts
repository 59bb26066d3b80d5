export {
  type ArtifactRow,
  type DocumentRow,
  type Evidence,
  type InputRow,
  type LockRow,
  type PointerRow,
} from './lock-rows.ts';
