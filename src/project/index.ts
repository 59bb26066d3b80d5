export { projectCatalogue } from './faults.ts';
export {
  formatLock,
  formatRow,
  hasRole,
  type Lock,
  LOCK_LIMITS,
  type MergedLock,
  parseLock,
  parseMergedLock,
  rowKey,
} from './lock.ts';
export { nearest } from './nearest.ts';
export {
  type Flow,
  type InputEntry,
  type Preparation,
  type Project,
  type ProjectRequest,
  type Readiness,
  type Service,
} from './project.ts';
export { parseProject, readProject } from './read.ts';
export { type Draft, draftProject } from './io/draft.ts';
export {
  flowLines,
  flowName,
  type OwnerSignature,
  projectFlow,
  readRegisterPayload,
  REGISTER_PAYLOAD_TYPE,
  type RegisteredFlow,
  type RegisterFinding,
  registerOf,
  registerPayload,
  type RegisterRow,
  registerVersion,
  type Use,
} from './flow-register.ts';
