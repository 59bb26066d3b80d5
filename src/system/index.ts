export { makeFolderDurably, readIfThere, writeDurably } from './durable.ts';
export { systemCatalogue } from './faults.ts';
export { nodeFiles } from './files.ts';
export { homePath, openHome } from './home.ts';
export { type Pip, pipProgram } from './pip.ts';
export {
  childEnvironment,
  type Ended,
  lastWords,
  type ProcessOptions,
  type Running,
  runProcess,
  startProcess,
} from './processes.ts';
export {
  canUnpackTools,
  debianTools,
  findProgram,
  type Tool,
  toolAtHand,
  type ToolName,
  toolsFolder,
  type ToolsOptions,
} from './tools.ts';
