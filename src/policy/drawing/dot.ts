import { type Drawing, groupsOf, shortName, type State } from './drawing.ts';

const LOOK: Readonly<Record<State, string>> = {
  open: 'color="#23738c"',
  depends: 'color="#76500a",style=dashed',
  opened: 'color="#a1182e",fontcolor="#a1182e",penwidth=2',
  closed: 'color="#17643a",fontcolor="#17643a",style=dotted',
  changed: 'color="#1d4f91",fontcolor="#1d4f91"',
  certainty: 'color="#76500a",fontcolor="#76500a",style=dashed',
};

/** A graph for Graphviz, with a cluster for each namespace. */
export function dot(drawing: Drawing): string {
  const lines = [
    'digraph {',
    `  label=${quoted(drawing.title)};`,
    '  rankdir=LR; node [shape=box,fontname="sans-serif"]; edge [fontname="sans-serif",fontsize=10];',
  ];
  groupsOf(drawing).forEach(({ name, peers }, i) => {
    lines.push(`  subgraph ${quoted(`cluster_${i}`)} {`, `    label=${quoted(name)};`);
    for (const peer of peers) lines.push(`    ${quoted(peer)} [label=${quoted(shortName(peer, name))}];`);
    lines.push('  }');
  });
  for (const { from, to, ports, state, note } of drawing.pairs) {
    const tip = note === '' ? '' : `,tooltip=${quoted(note)}`;
    lines.push(`  ${quoted(from)} -> ${quoted(to)} [label=${quoted(ports)},${LOOK[state]}${tip}];`);
  }
  return `${lines.join('\n')}\n}\n`;
}

function quoted(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
