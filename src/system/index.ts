export { startAgent } from './agent.ts';
export { systemClock } from './clock.ts';
export { makeFolderDurably, readIfThere, writeDurably } from './durable.ts';
export { systemCatalogue } from './faults.ts';
export { nodeFiles } from './files.ts';
export { homePath, openHome } from './home.ts';
export { type Pip, pipProgram } from './pip.ts';
export {
  childEnvironment,
  type Ended,
  isAlive,
  lastWords,
  type ProcessOptions,
  processStart,
  type Running,
  runProcess,
  runtimeEnvironment,
  startProcess,
} from './processes.ts';
export { removeTree } from './remove-tree.ts';
export { readSettings } from './settings-file.ts';
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
export { type NamespaceAnswer, namespacesAllowed } from './namespaces.ts';
export {
  type EffectiveSettings,
  npmSettings,
  ociSettings,
  pipSettings,
  plainSettings,
  type SettingsOptions,
} from './client-settings.ts';
export {
  basic,
  type DownloadSink,
  type ExchangeAnswer,
  type Network,
  type NetworkAnswer,
  type NetworkOptions,
  type NetworkRequest,
  openNetwork,
  type Route,
  withoutSecrets,
} from './network.ts';
export { networkCatalogue } from './network-faults.ts';
