import { NAMESPACE_NAME_LABEL, ACCOUNT_LABEL, ACCOUNT_NAME } from './model.ts';
import { holds, type Operator, type Requirement } from './selector.ts';

/** Whose labels a part of a selector asks for. */
type Scope = 'pod' | 'namespace' | 'account';

/** A selector of Calico, as a tree. */
export type Expression =
  | { readonly is: 'all' }
  | { readonly is: 'label'; readonly scope: Scope; readonly requirement: Requirement }
  | { readonly is: 'not'; readonly inner: Expression }
  | { readonly is: 'and' | 'or'; readonly inner: readonly Expression[] };

/** One way in which an expression holds: all of these requirements. */
export interface Conjunct {
  readonly pods: readonly Requirement[];
  readonly namespaces: readonly Requirement[];
}

/** More ways than that are not looked at. */
const CONJUNCTS = 512;

const TOKEN =
  /\s*(?:(&&|\|\||==|!=|[!(){},])|(has)\(\s*([\w./-]+)\s*\)|(all|global)\(\s*\)|'([^']*)'|"([^"]*)"|(not\s+in|starts\s+with|ends\s+with|in|contains)(?![\w./-])|([\w./-]+))/y;

type Token =
  | { readonly is: 'sign' | 'operator' | 'label' | 'text'; readonly text: string }
  | { readonly is: 'has'; readonly text: string }
  | { readonly is: 'call'; readonly text: string };

/**
 * Reads the selector language of Calico (libcalico-go/lib/selector/parser: `||` binds least, then `&&`, then `!`).
 * `scope` says whose labels it is about. A string says what is wrong.
 */
export function parseExpression(text: string, scope: Scope): Expression | string {
  const tokens: Token[] = [];
  const pattern = new RegExp(TOKEN);
  while (text.slice(pattern.lastIndex).trim() !== '') {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) return `It cannot be read from character ${at + 1} on.`;
    const [, sign, has, hasLabel, call, single, double, operator, label] = match;
    if (sign !== undefined) tokens.push({ is: 'sign', text: sign });
    else if (has !== undefined) tokens.push({ is: 'has', text: hasLabel! });
    else if (call !== undefined) tokens.push({ is: 'call', text: call });
    else if (operator !== undefined) tokens.push({ is: 'operator', text: operator.replaceAll(/\s+/g, ' ') });
    else if (label !== undefined) tokens.push({ is: 'label', text: label });
    else tokens.push({ is: 'text', text: single ?? double ?? '' });
  }
  if (tokens.length === 0) return { is: 'all' };
  try {
    return new ExpressionReader(tokens, scope).whole();
  } catch (error) {
    if (error instanceof NotAnExpression) return error.message;
    throw error;
  }
}

class NotAnExpression extends Error {}

const DEPTH = 100;

class ExpressionReader {
  readonly #tokens: readonly Token[];
  readonly #scope: Scope;
  #at = 0;

  constructor(tokens: readonly Token[], scope: Scope) {
    this.#tokens = tokens;
    this.#scope = scope;
  }

  whole(): Expression {
    const expression = this.#or(0);
    if (this.#at < this.#tokens.length) throw new NotAnExpression(`'${this.#tokens[this.#at]!.text}' is not expected.`);
    return expression;
  }

  #or(depth: number): Expression {
    if (depth > DEPTH) throw new NotAnExpression('It is nested too deeply.');
    const inner = [this.#and(depth)];
    while (this.#take('||')) inner.push(this.#and(depth));
    return inner.length === 1 ? inner[0]! : { is: 'or', inner };
  }

  #and(depth: number): Expression {
    const inner = [this.#operation(depth)];
    while (this.#take('&&')) inner.push(this.#operation(depth));
    return inner.length === 1 ? inner[0]! : { is: 'and', inner };
  }

  #operation(depth: number): Expression {
    let negated = false;
    while (this.#take('!')) negated = !negated;
    const expression = this.#plain(depth);
    return negated ? { is: 'not', inner: expression } : expression;
  }

  #plain(depth: number): Expression {
    if (this.#take('(')) {
      const inner = this.#or(depth + 1);
      this.#want(')');
      return inner;
    }
    const token = this.#next();
    if (token.is === 'has') return this.#label(token.text, 'Exists', []);
    if (token.is === 'call') {
      if (token.text === 'global') {
        if (this.#scope !== 'namespace') throw new NotAnExpression('global() stands in a namespaceSelector only.');
        return IN_NO_NAMESPACE;
      }
      return this.#scope === 'namespace' ? { is: 'not', inner: IN_NO_NAMESPACE } : { is: 'all' };
    }
    if (token.is !== 'label' && token.is !== 'operator') throw new NotAnExpression(`'${token.text}' is no label.`);
    const label = token.text;
    const operator = this.#next();
    switch (operator.text) {
      case '==':
        return this.#label(label, 'In', [this.#text()]);
      case '!=':
        return this.#label(label, 'NotIn', [this.#text()]);
      case 'contains':
        return this.#label(label, 'Contains', [this.#text()]);
      case 'starts with':
        return this.#label(label, 'StartsWith', [this.#text()]);
      case 'ends with':
        return this.#label(label, 'EndsWith', [this.#text()]);
      case 'in':
      case 'not in':
        return this.#label(label, operator.text === 'in' ? 'In' : 'NotIn', this.#set());
      default:
        throw new NotAnExpression(`'${operator.text}' is no operator.`);
    }
  }

  #set(): string[] {
    const values: string[] = [];
    this.#want('{');
    while (this.#tokens[this.#at]?.is === 'text') {
      values.push(this.#text());
      if (!this.#take(',')) break;
    }
    this.#want('}');
    return values;
  }

  #label(label: string, operator: Operator, values: readonly string[]): Expression {
    let scope = this.#scope;
    let own = label;
    if (scope === 'pod') {
      // Labels that a pod inherits from the profiles of its namespace and of its service account.
      if (label === 'projectcalico.org/namespace') [scope, own] = ['namespace', NAMESPACE_NAME_LABEL];
      else if (label.startsWith('pcns.')) [scope, own] = ['namespace', label.slice('pcns.'.length)];
      else if (label === 'projectcalico.org/serviceaccount') own = ACCOUNT_NAME;
      else if (label.startsWith('pcsa.')) [scope, own] = ['account', label.slice('pcsa.'.length)];
      else if (label === 'projectcalico.org/orchestrator') {
        const held = holds({ label, operator, values }, { [label]: 'k8s' });
        return held ? { is: 'all' } : { is: 'not', inner: { is: 'all' } };
      } else if (label.startsWith('projectcalico.org/')) {
        throw new NotAnExpression(`The label '${label}' is set by Calico and not known here.`);
      }
    } else if (scope === 'namespace' && label === 'projectcalico.org/name') own = NAMESPACE_NAME_LABEL;
    if (scope === 'account') own = ACCOUNT_LABEL + own;
    return { is: 'label', scope, requirement: { label: own, operator, values } };
  }

  #text(): string {
    const token = this.#next();
    if (token.is !== 'text') throw new NotAnExpression(`'${token.text}' is no text in quotes.`);
    return token.text;
  }

  #next(): Token {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new NotAnExpression('It ends too early.');
    return token;
  }

  #take(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.is !== 'sign' || token.text !== sign) return false;
    this.#at++;
    return true;
  }

  #want(sign: string): void {
    if (!this.#take(sign)) throw new NotAnExpression(`A '${sign}' is missing.`);
  }
}

/** What is in no namespace: global network sets, and the endpoints of hosts. */
const IN_NO_NAMESPACE: Expression = {
  is: 'label',
  scope: 'namespace',
  requirement: { label: NAMESPACE_NAME_LABEL, operator: 'DoesNotExist', values: [] },
};

const OPPOSITE: Readonly<Record<Operator, Operator>> = {
  In: 'NotIn',
  NotIn: 'In',
  Exists: 'DoesNotExist',
  DoesNotExist: 'Exists',
  Contains: 'NotContains',
  NotContains: 'Contains',
  StartsWith: 'NotStartsWith',
  NotStartsWith: 'StartsWith',
  EndsWith: 'NotEndsWith',
  NotEndsWith: 'EndsWith',
};

/** The ways in which it holds; none: it never does. Undefined: there are too many. */
export function conjunctsOf(expression: Expression, negated = false): readonly Conjunct[] | undefined {
  switch (expression.is) {
    case 'all':
      return negated ? [] : [{ pods: [], namespaces: [] }];
    case 'not':
      return conjunctsOf(expression.inner, !negated);
    case 'label': {
      const { scope, requirement } = expression;
      const one = negated ? { ...requirement, operator: OPPOSITE[requirement.operator] } : requirement;
      return [scope === 'namespace' ? { pods: [], namespaces: [one] } : { pods: [one], namespaces: [] }];
    }
    case 'and':
    case 'or': {
      const parts = expression.inner.map((one) => conjunctsOf(one, negated));
      let all: readonly Conjunct[] | undefined =
        (expression.is === 'or') === negated ? [{ pods: [], namespaces: [] }] : [];
      for (const part of parts) {
        if (part === undefined || all === undefined) return undefined;
        all =
          (expression.is === 'or') === negated
            ? all.flatMap((a) =>
                part.map((b) => ({ pods: [...a.pods, ...b.pods], namespaces: [...a.namespaces, ...b.namespaces] })),
              )
            : [...all, ...part];
        if (all.length > CONJUNCTS) return undefined;
      }
      return all;
    }
  }
}

/** Whether it holds for something with these labels; what is in no namespace has none of a namespace. */
export function expressionHolds(
  expression: Expression,
  labels: Readonly<Record<Scope, Readonly<Record<string, string>>>>,
): boolean {
  switch (expression.is) {
    case 'all':
      return true;
    case 'not':
      return !expressionHolds(expression.inner, labels);
    case 'label':
      return holds(expression.requirement, labels[expression.scope]);
    case 'and':
      return expression.inner.every((one) => expressionHolds(one, labels));
    case 'or':
      return expression.inner.some((one) => expressionHolds(one, labels));
  }
}
