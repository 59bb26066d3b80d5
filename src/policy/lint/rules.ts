import type { Explanation } from '#kernel';

export const LEVELS = ['error', 'warning', 'note'] as const;
/** `error`: what stands there does not hold what it seems to. `warning`: probably not meant. `note`: worth knowing. */
export type Level = (typeof LEVELS)[number];

export interface LintRule extends Explanation {
  readonly level: Level;
  /** The sentence of the specification, or of what has been observed, behind it. */
  readonly why: string;
}

/** What `sallyport policy lint` looks for. `NP-…` is the list in docs/operate/network-policy.md. */
export const lintCatalogue = {
  'lint.unreadable': {
    kind: 'reason',
    level: 'error',
    title: 'An object is not valid, so that what it does is not known.',
    why: 'An API server refuses it, or each enforcer makes something else of it (NP-06).',
    fix: 'Correct it at the line that is named.',
  },
  'lint.open-peers': {
    kind: 'reason',
    level: 'warning',
    title: 'A rule that names no peers is about everything: every pod and every address.',
    why: 'An empty or missing list of peers matches all sources or destinations (NetworkPolicyIngressRule, NP-02).',
    fix: "Name the peers. Where everything is meant, write '- namespaceSelector: {}' for all pods, and blocks for addresses.",
  },
  'lint.open-ports': {
    kind: 'reason',
    level: 'note',
    title: "A rule without 'ports' is about every port of every protocol.",
    why: 'An empty or missing list of ports matches all ports (NetworkPolicyIngressRule, NP-02).',
    fix: 'Name the ports that the flow needs.',
  },
  'lint.whole-cluster': {
    kind: 'reason',
    level: 'warning',
    title: 'A peer is every pod of every namespace, those that come later too.',
    why: 'An empty namespaceSelector selects all namespaces (NetworkPolicyPeer, NP-01).',
    fix: 'Select the namespaces that are meant, by a label or by kubernetes.io/metadata.name.',
  },
  'lint.and-as-or': {
    kind: 'reason',
    level: 'warning',
    title: 'Two peers of a list are either-or, where one peer with both selectors was probably meant.',
    why: 'Selectors in one entry must both hold; entries of a list are alternatives (NP-01).',
    fix: "Where both must hold, take the '-' before the second selector away, so that the two stand in one entry. Where either is meant, put them in two rules.",
  },
  'lint.peer-nothing': {
    kind: 'reason',
    level: 'warning',
    title: 'A peer selects no pod of these manifests.',
    why: 'A rule that matches nothing does nothing; a misspelt label looks like this.',
    fix: "Look for a wrong label or namespace. If the pods come from elsewhere, all is well: 'sallyport policy exposure' lists such peers.",
  },
  'lint.redundant-rule': {
    kind: 'reason',
    level: 'note',
    title:
      'A rule changes nothing: without it, every pod there is, every pod that may come and every address gets the same.',
    why: 'Rules of NetworkPolicies add up; in ordered policies an earlier rule decides (NP-21).',
    fix: 'Remove it, or the one that makes it needless, if that is the one that is too wide.',
  },
  'lint.missing-types': {
    kind: 'reason',
    level: 'warning',
    title: "The policy does not say its 'policyTypes'.",
    why: 'The default is Ingress, and Egress only where there are egress rules: without them egress stays open (NP-03).',
    fix: "Write 'policyTypes: [Ingress]', '[Egress]' or both.",
  },
  'lint.rules-without-type': {
    kind: 'reason',
    level: 'error',
    title: "The policy has rules for a direction that its 'policyTypes' leaves out; they do nothing.",
    why: 'Only the directions that policyTypes lists are covered (NetworkPolicySpec, NP-03).',
    fix: "Add the direction to 'policyTypes', or remove the rules.",
  },
  'lint.one-direction': {
    kind: 'reason',
    level: 'warning',
    title: 'A NetworkPolicy covers one direction only, of pods that a Baseline policy covers in the other.',
    why: 'Whether the Baseline still counts for the other direction is read in two ways, and enforcers differ (NP-25).',
    fix: 'Write both directions in the NetworkPolicy.',
  },
  'lint.one-family': {
    kind: 'reason',
    level: 'warning',
    title: 'A rule is about all addresses of one family and says nothing of the other.',
    why: '0.0.0.0/0 does not cover IPv6, nor ::/0 IPv4 (NP-14).',
    fix: 'Add the other whole family with the same exceptions, or say in a comment why there is only one.',
  },
  'lint.block-not-canonical': {
    kind: 'reason',
    level: 'error',
    title: 'A block of addresses has bits set behind its prefix.',
    why: 'The API takes it; some enforcers drop it, others read it as cleared (NP-06).',
    fix: 'Write it with these bits cleared.',
  },
  'lint.absent-label': {
    kind: 'reason',
    level: 'warning',
    title: "A rule allows by 'NotIn' or 'DoesNotExist', which also select whatever lacks the label.",
    why: 'Both operators match objects without the key (labels.Requirement, NP-04).',
    fix: "Select by a label that the wanted pods have ('In' or 'Exists').",
  },
  'lint.equal-priority': {
    kind: 'reason',
    level: 'error',
    title: 'Two policies of one tier have the same priority or order.',
    why: 'Which comes first is not defined, or decided by their names (NP-21).',
    fix: 'Give each its own.',
  },
  'lint.port-name': {
    kind: 'reason',
    level: 'warning',
    title: 'A rule names a port by a name that no destination has with this protocol.',
    why: 'A name is looked up on each destination pod, with its protocol, and never on an address (NP-08).',
    fix: 'Correct the name or protocol, or write the number.',
  },
  'lint.protocol-missing': {
    kind: 'reason',
    level: 'note',
    title: 'A port does not say its protocol, so it is TCP.',
    why: 'The field defaults to TCP (NetworkPolicyPort, NP-07).',
    fix: 'Write the protocol.',
  },
  'lint.dns-one-protocol': {
    kind: 'reason',
    level: 'warning',
    title: 'A rule lets DNS through by one of TCP and UDP only.',
    why: 'Queries go over UDP, and answers that do not fit come over TCP (RFC 7766). A missing protocol is TCP (NP-07).',
    fix: 'Write port 53 twice: with protocol UDP and with protocol TCP.',
  },
  'lint.dns-closed': {
    kind: 'reason',
    level: 'warning',
    title: 'The egress of a workload is closed, and it cannot reach the DNS of the cluster.',
    why: 'Without names hardly anything starts; default deny forgets it first.',
    fix: 'Allow UDP and TCP port 53 to the pods of the DNS, or ignore this where the workload needs no names.',
  },
  'lint.selects-nothing': {
    kind: 'reason',
    level: 'warning',
    title: 'A policy selects no workload of these manifests.',
    why: 'A wall around nobody; a misspelt label looks like this.',
    fix: 'Look for a wrong label or namespace; if the workload is not in this folder, all is well.',
  },
  'lint.no-default-deny': {
    kind: 'reason',
    level: 'warning',
    title: 'A pod that comes into this namespace without labels is open.',
    why: 'A pod that no policy selects allows everything (NP-20).',
    fix: "Add a NetworkPolicy with 'podSelector: {}', 'policyTypes: [Ingress, Egress]' and no rules.",
  },
  'lint.host-network': {
    kind: 'reason',
    level: 'warning',
    title: "Policies select pods that are in their node's network; they do not bind them.",
    why: 'For such pods the behaviour is not defined; most enforcers treat their traffic as that of the node (NP-16).',
    fix: 'Close such a pod by a firewall on its node, or take it out of the network of the node.',
  },
  'lint.except-again': {
    kind: 'reason',
    level: 'warning',
    title: 'Addresses that a block excepts are let through by another rule.',
    why: "'except' takes addresses out of its own peer only (NP-12).",
    fix: 'Narrow the other rule too, or remove the exception.',
  },
  'lint.deny-covers-pods': {
    kind: 'reason',
    level: 'error',
    title: 'A Deny of a whole address family closes pods too.',
    why: 'Networks of a ClusterNetworkPolicy cover traffic between pods (NP-23).',
    fix: "Put a rule with the action 'Pass' for the pods before it, or name the outside networks.",
  },
  'lint.dialect': {
    kind: 'reason',
    level: 'error',
    title: 'The network plugin does not enforce policies of this kind.',
    why: 'An object that nobody enforces is a wall on paper.',
    fix: 'Write the policy in a kind that the plugin enforces.',
  },
  'lint.empty-in-cilium': {
    kind: 'reason',
    level: 'error',
    title: 'An empty list means in a policy of Cilium the reverse of what it means in a NetworkPolicy.',
    why: "There 'ingress: [{}]' closes the direction and 'ingress: []' does nothing (CIL-1).",
    fix: "Write '- {}' to close the direction, and say what is let in by rules with 'fromEndpoints' or 'fromEntities'.",
  },
  'lint.host-endpoints': {
    kind: 'reason',
    level: 'warning',
    title: 'A GlobalNetworkPolicy without a condition on the orchestrator covers the endpoints of nodes too.',
    why: 'It applies to host endpoints as well as to pods (CAL-3).',
    fix: "Add projectcalico.org/orchestrator == 'k8s' to its selector.",
  },
  'lint.namespace-unknown': {
    kind: 'reason',
    level: 'warning',
    title: 'A namespace is used and its labels are in no manifest.',
    why: 'Selectors of namespaces cannot be decided for it (NP-05).',
    fix: 'Add the Namespace object.',
  },
  'lint.duplicate': {
    kind: 'reason',
    level: 'warning',
    title: 'An object is there twice.',
    why: 'Which of the two a cluster has depends on the order of applying.',
    fix: 'Keep one of the two.',
  },
} as const satisfies Readonly<Record<`lint.${string}`, LintRule>>;

export type LintCode = keyof typeof lintCatalogue;
