import { type Catalogue, faultsOf } from '#kernel';

export const policyCatalogue = {
  'policy.no-folder': {
    kind: 'usage',
    title: 'There is no folder or file of manifests here.',
    fix: 'Name a folder with .yaml, .yml or .json files, or one such file, or a bundle.',
  },
  'policy.none-sealed': {
    kind: 'usage',
    title: 'The bundle carries no manifests for this.',
    fix: "Give the input that has them 'role: policy' in sallyport.yaml outside, then capture and seal again: '- files: manifests' with 'role: policy' below it.",
  },
  'policy.peer-unknown': {
    kind: 'usage',
    title: 'There is no such workload in the manifests, and it is no address.',
    fix: "Write NAMESPACE/NAME or NAMESPACE/NAME[Kind] as 'sallyport policy map' prints it, or an address; one of the two ends is a workload.",
  },
  'policy.port-unreadable': {
    kind: 'usage',
    title: 'The port cannot be read.',
    fix: 'Write a number from 1 to 65535, and a protocol behind it if it is not TCP: 53/udp, 2905/sctp.',
  },
  'policy.no-invariants': {
    kind: 'usage',
    title: 'There are no invariants to check.',
    fix: "Name a file with --file, or write one with --expression, for example 'deny all -> outside 10.0.0.0/8,fd00::/8'.",
  },
  'policy.assertion-invalid': {
    kind: 'usage',
    title: 'The file of assertions cannot be understood.',
    fix: 'Mend the place that is named; docs/spec/assertions.md describes the form.',
  },
  'policy.assertions-from': {
    kind: 'usage',
    title: 'It is not said what is to be asserted.',
    fix: 'Name a file of assertions with --file, or flows from which they are made with --flows; one of the two.',
  },
  'policy.threshold': {
    kind: 'usage',
    title: 'The threshold is no part of one.',
    fix: 'Write a number from 0 to 1, for example --threshold 0.9.',
  },
  'policy.invariant-invalid': {
    kind: 'usage',
    title: 'An invariant cannot be read.',
    fix: "Correct it at the place that is named. An end is 'all', 'anything', NAMESPACE/SELECTOR, NAMESPACE/*, '*/SELECTOR', blocks of addresses, or 'outside' and blocks.",
  },
  'policy.flows-invalid': {
    kind: 'usage',
    title: 'The declared flows cannot be read.',
    fix: 'Correct them at the place that is named (docs/spec/flow-set.md).',
  },
  'policy.flow-unresolved': {
    kind: 'usage',
    title: 'A flow speaks of something that is not in the manifests.',
    fix: 'Correct the flow at the line that is named, or add what is missing to the manifests. Nothing is generated for a peer, port or namespace that is not known.',
  },
  'policy.flow-widens': {
    kind: 'usage',
    title: 'A policy for this flow would admit more than is declared.',
    fix: "Tell the pods apart by a label; for blocks of addresses, say in 'cluster: { pods: [BLOCK] }' which addresses pods have, or leave them out by 'except'.",
  },
  'policy.too-many-priorities': {
    kind: 'usage',
    title: 'These flows need more ClusterNetworkPolicies than a tier has priorities.',
    fix: 'A tier has 1001. Declare flows for pods with common labels in place of single workloads, or choose another dialect.',
  },
  'policy.output-foreign': {
    kind: 'usage',
    title: 'The folder for the policies holds a file that was not generated.',
    fix: 'Name another folder with -o, or take the file out: policies of two origins in one folder would be applied together.',
  },
  'policy.evidence-unreadable': {
    kind: 'usage',
    title: 'A file of evidence for flows cannot be read.',
    fix: 'Name a Compose file with --compose, and with --observed the report.json of a rehearsal, flows of Hubble or Calico as JSON lines, or lines with from, to, port and protocol.',
  },
  'policy.proposal-unknown': {
    kind: 'usage',
    title: 'There is no such proposal.',
    fix: "Write its name as 'sallyport policy suggest' prints it; one that is declared already is no proposal.",
  },
  'policy.accept-incomplete': {
    kind: 'usage',
    title: 'To accept a proposal, somebody must answer for it.',
    fix: 'Name the file with --flows, who accepts with --by, and who owns the flow with --owner.',
  },
  'policy.rule-unknown': {
    kind: 'usage',
    title: 'There is no such rule of lint.',
    fix: "Write it as a finding names it, for example lint.open-ports; 'sallyport explain' lists all.",
  },
  'policy.too-many-pairs': {
    kind: 'usage',
    title: 'There are more pairs than a drawing shows.',
    fix: 'Write --output csv or svg, or map a smaller folder; a map can be a --summary too.',
  },
  'policy.format-unknown': {
    kind: 'usage',
    title: 'The answer cannot be written in this format.',
    fix: "Choose one of those that 'sallyport help policy' lists for this command.",
  },
  'policy.too-large': {
    title: 'The manifests are larger than is read.',
    fix: 'A file may have 64 MiB and all together 192 MiB. Name a smaller folder, or split the file.',
  },
  'policy.too-many-rows': {
    title: 'A map of these manifests has more rows than are written.',
    fix: "Take '--summary', which writes each policy and each wall once, or name a smaller folder.",
  },
  'policy.bundle-refused': {
    kind: 'reason',
    title: 'The bundle is refused, so nothing that it carries is believed.',
    fix: "'sallyport verify BUNDLE' says what is wrong with it, and 'sallyport explain CODE' what to do. Files of manifests end with .yaml, .yml or .json; every other file is taken for a bundle.",
  },
  'policy.unreadable': {
    kind: 'reason',
    title: 'A document cannot be decoded, so it is not known what it says.',
    fix: 'Correct it at the line that is named, or take it out of the folder.',
  },
  'policy.template': {
    kind: 'reason',
    title: 'A template is not rendered, so it is not known what it becomes.',
    fix: "Render it ('helm template', 'kustomize build') into a folder of its own, and read that one.",
  },
  'policy.malformed': {
    kind: 'reason',
    title: 'A field has another type or value than its API defines.',
    fix: 'Correct the field at the line that is named; a Kubernetes API server would refuse it too.',
  },
  'policy.field-unknown': {
    kind: 'reason',
    title: 'A policy has a field that its API does not define.',
    fix: 'Look for a wrong spelling or indentation at the line that is named. A field that is dropped silently changes what the policy allows.',
  },
  'policy.kind-unknown': {
    kind: 'reason',
    title: 'This kind or version of policy is not analysed, so the answer is not known.',
    fix: 'NetworkPolicy (networking.k8s.io/v1), AdminNetworkPolicy and BaselineAdminNetworkPolicy (policy.networking.k8s.io/v1alpha1) and ClusterNetworkPolicy (v1alpha2) are analysed, and policies of cilium.io/v2 and projectcalico.org/v3. Take others out of the folder only if they are not applied.',
  },
  'policy.not-modelled': {
    kind: 'reason',
    title: 'A policy uses something that is not analysed, so the answer is not known.',
    fix: 'Write the policy without it, or take it out of the folder only if it is not applied.',
  },
  'policy.dialect': {
    kind: 'reason',
    title: 'Not every network plugin enforces policies of this API.',
    fix: "Name the plugin with '--cni', so that the answer is certain; policies that it does not enforce do nothing.",
  },
  'policy.for-nodes': {
    kind: 'reason',
    title: 'A policy is for nodes, not for pods.',
    fix: 'Nothing is to be done: what nodes may do is not looked at here.',
  },
  'policy.staged': {
    kind: 'reason',
    title: 'A staged policy is not enforced.',
    fix: 'Nothing is to be done. To see what it would do, write it as the policy that it is staged for.',
  },
  'policy.icmp': {
    kind: 'reason',
    title: 'A rule is about a protocol without ports.',
    fix: 'Nothing is to be done: only TCP, UDP and SCTP are looked at. The policy still closes what it covers.',
  },
  'policy.tier-unknown': {
    kind: 'reason',
    title: 'A policy stands in a tier that is in no manifest, so its place among the others is not known.',
    fix: 'Add the Tier object to the manifests.',
  },
  'policy.reference-unknown': {
    kind: 'reason',
    title: 'A policy refers to an object that is in no manifest.',
    fix: 'Add the object to the manifests; what depends on it is not certain.',
  },
  'policy.route-idle': {
    kind: 'reason',
    title: 'A route of the Gateway API leads nowhere.',
    fix: "Let a listener of the Gateway take it ('allowedRoutes'), or let the namespace of the Service grant it (ReferenceGrant).",
  },
  'policy.host-endpoint': {
    kind: 'reason',
    title: 'Policies for endpoints of hosts are here that may stop traffic of pods.',
    fix: 'They are not analysed. Take them out of the folder only if they are not applied.',
  },
  'policy.selector-invalid': {
    kind: 'reason',
    title: 'A label selector is not valid.',
    fix: "Use 'In' and 'NotIn' with values, 'Exists' and 'DoesNotExist' without, and text as values.",
  },
  'policy.cidr-invalid': {
    kind: 'reason',
    title: 'A block of addresses is not valid.',
    fix: "Write an address and a prefix length, such as 10.0.0.0/8 or fd00::/8; each 'except' lies within its block and is smaller.",
  },
  'policy.port-invalid': {
    kind: 'reason',
    title: 'A port is not valid.',
    fix: "Write a number from 1 to 65535 or a port's name, and an 'endPort' not below its numeric port.",
  },
  'policy.rollout-not-policy': {
    kind: 'reason',
    title: 'Something besides policies differs, which a rollout of policies does not change.',
    fix: 'Roll out what is named by itself, and plan the policies between two folders that have it in common.',
  },
  'policy.priority-equal': {
    kind: 'reason',
    title: 'Two policies of one tier have the same priority.',
    fix: 'Give each its own priority: which of them comes first is not defined.',
  },
  'policy.duplicate': {
    kind: 'reason',
    title: 'An object is there twice.',
    fix: 'Keep one of the two: which one a cluster would have depends on the order of applying.',
  },
  'policy.owner-mixed': {
    kind: 'reason',
    title: 'Pods of one owner differ in a label that a policy selects, so they are not one peer.',
    fix: "Use '--profile specification', which says for which pods a connection depends on it, or give the pods the same labels.",
  },
  'policy.cidr-not-canonical': {
    kind: 'reason',
    title: 'A block of addresses has bits set behind its prefix.',
    fix: 'Write it with these bits cleared: some enforcers drop such a block, others read it as cleared.',
  },
  'policy.namespace-unknown': {
    kind: 'reason',
    title: 'A namespace is used and its labels are in no manifest.',
    fix: 'Add the Namespace object, so that selectors of namespaces can be decided.',
  },
  'policy.network-outside': {
    kind: 'reason',
    title: 'Networks besides that of the cluster are not looked at.',
    fix: 'The answer is about the network of the cluster. Pods whose first network is another one cannot talk to the others at all.',
  },
  'policy.address-unknown': {
    kind: 'reason',
    title: 'A rule names a block of addresses, and pods have addresses that are in no manifest.',
    fix: 'A row about a range of addresses speaks of such a pod too, where its address lies in the range. Lists saved from a cluster have the addresses in their status.',
  },
  'policy.elusive-peer': {
    kind: 'reason',
    title: 'A rule names nodes or domain names; which addresses they are is in no manifest.',
    fix: 'What depends on it is marked so. Use blocks of addresses where a certain answer is needed.',
  },
  'policy.selects-nothing': {
    kind: 'reason',
    title: 'A policy selects no workload of these manifests.',
    fix: 'Look for a wrong label or namespace; if the workload is not in this folder, all is well.',
  },
} as const satisfies Catalogue;

export const policyFault = faultsOf(policyCatalogue);
