export {
  type Attempt,
  ATTEMPT_ANSWERS,
  ATTEMPT_KINDS,
  type AttemptAnswer,
  type AttemptKind,
  describeAttempt,
} from './attempt.ts';
export { enclaveCatalogue } from './faults.ts';
export {
  type Enclave,
  type EnclaveOptions,
  type InsideEnded,
  type InsideOptions,
  type InsideProcess,
  openEnclave,
} from './io/enclave.ts';
export { keepEnclave } from './io/keeper.ts';
export { type EnclaveFlow, type FlowUse } from './network.ts';
export { type ImageRoot, unpackImage } from './io/image.ts';
export { readBeneath } from './io/beneath.ts';
export { probeFrom } from './io/probe.ts';
export { type Probe, type ProbeAnswer } from './probe-types.ts';
export { openRecorder, type Recorder, type RecorderOptions } from './io/recorder.ts';
export { type RecordedRequest } from './recording.ts';
export { type MachineOutcome, type RuntimeHost, runtimeHosts } from './runtime-hosts.ts';
