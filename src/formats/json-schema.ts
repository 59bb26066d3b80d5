import { isObject } from '#kernel';
import { type Problem, problem } from './problem.ts';

/**
 * JSON Schema draft 7, as far as published schemas of documents use it, interpreted and never turned into code. A keyword
 * or format that is not known here is refused when the schema is read: what is not understood must not pass.
 */
export interface Schemas {
  /** What is wrong with a value by the first of the schemas; undefined where nothing is. `where` is a JSON pointer. */
  judge(value: unknown): Problem | undefined;
}

type Schema = Readonly<Record<string, unknown>> | boolean;

/** Keywords that say nothing about a value. */
const NOTES = new Set([
  '$schema',
  '$id',
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'meta:enum',
  'definitions',
  'then',
  'else',
  'additionalItems',
]);
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && isMoment(`${text}T00:00:00Z`),
  'date-time': (text) =>
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text) && isMoment(text),
  email: (text) => /^[^\s@]+@[^\s@]+$/.test(text),
  'idn-email': (text) => /^[^\s@]+@[^\s@]+$/.test(text),
  uri: (text) => /^[A-Za-z][A-Za-z0-9+.-]*:/.test(text) && isReference(text),
  'iri-reference': isReference,
  'uri-reference': isReference,
};
/** Steps that judging one document may take, so that no schema and no document make it endless. */
const STEPS = 5_000_000;
const REFERENCES = 64;

function isMoment(text: string): boolean {
  return !Number.isNaN(Date.parse(text.toUpperCase()));
}

/** RFC 3987 leaves out spaces, controls and these; a percent sign begins two digits. */
function isReference(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return !/[\u0000-\u0020<>"{}|\\^`\u007f]/.test(text) && !/%(?![0-9A-Fa-f]{2})/.test(text);
}

type Check = (value: unknown, at: Place) => Problem | undefined;

interface Place {
  readonly pointer: string;
  readonly steps: { left: number };
  /** References followed since the value last changed. */
  readonly references: number;
}

/** Reads schemas: the first judges, the others are what it refers to by their `$id`. */
export function readSchemas(documents: readonly unknown[]): Schemas | Problem {
  const roots = new Map<string, Schema>();
  for (const document of documents) {
    if (!isObject(document)) return problem('', 'A schema is an object.');
    const id = typeof document['$id'] === 'string' ? document['$id'] : `schema://given/${roots.size}`;
    if (!URL.canParse(id)) return problem(id, 'Its $id is no address.');
    const key = new URL(id).href.replace(/#$/, '');
    if (roots.has(key)) return problem(id, 'Two schemas have this $id.');
    roots.set(key, document);
  }
  const [first] = roots.values();
  if (first === undefined) return problem('', 'There is no schema.');
  const checks = new Map<Schema, Check>();
  try {
    for (const [base, root] of roots) compile(root, base, '#');
  } catch (error) {
    if (error instanceof Unknown) return problem(error.where, error.detail);
    throw error;
  }
  return {
    judge(value) {
      try {
        return checkOf(first)(value, { pointer: '', steps: { left: STEPS }, references: 0 });
      } catch (error) {
        if (error instanceof Unknown) return problem(error.where, error.detail);
        throw error;
      }
    },
  };

  function checkOf(schema: Schema): Check {
    const check = checks.get(schema);
    if (check === undefined) throw new TypeError('a schema that was not read');
    return check;
  }

  function resolved(reference: string, base: string): Schema {
    if (!URL.canParse(reference, base)) throw new Unknown(reference, 'It is no reference.');
    const { href, hash } = new URL(reference, base);
    const root = roots.get(href.replace(/#.*$/s, ''));
    const pointer = decodeURIComponent(hash.slice(1));
    let at: unknown = root;
    for (const part of pointer.split('/').slice(1)) {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      at = isObject(at) && Object.hasOwn(at, key) ? at[key] : Array.isArray(at) ? at[Number(key)] : undefined;
    }
    if (
      at === undefined ||
      (!isObject(at) && typeof at !== 'boolean') ||
      (pointer !== '' && !pointer.startsWith('/'))
    ) {
      throw new Unknown(reference, 'No schema that was given has this.');
    }
    return at;
  }

  function compile(schema: unknown, base: string, where: string): Check {
    if (typeof schema === 'boolean') {
      const check: Check = (_, { pointer }) => (schema ? undefined : problem(pointer, 'Nothing may be here.'));
      checks.set(schema, check);
      return check;
    }
    if (!isObject(schema)) throw new Unknown(where, 'It is no schema.');
    const known = checks.get(schema);
    if (known !== undefined) return known;
    const rules: Check[] = [];
    const check: Check = (value, at) => {
      at.steps.left -= 1;
      if (at.steps.left < 0) throw new Unknown(at.pointer, `Judging it takes more than ${STEPS} steps.`);
      for (const rule of rules) {
        const found = rule(value, at);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    checks.set(schema, check);
    for (const definition of Object.values(isObject(schema['definitions']) ? schema['definitions'] : {})) {
      compile(definition, base, `${where}/definitions`);
    }
    const reference = schema['$ref'];
    if (typeof reference === 'string') {
      // In draft 7 nothing beside a reference counts.
      let target: Check | undefined;
      rules.push((value, at) => {
        if (at.references >= REFERENCES) throw new Unknown(at.pointer, 'References lead in a circle.');
        target ??= compile(resolved(reference, base), baseOf(reference, base), reference);
        return target(value, { ...at, references: at.references + 1 });
      });
      resolved(reference, base);
      return check;
    }
    for (const [keyword, argument] of Object.entries(schema)) {
      if (NOTES.has(keyword)) continue;
      const make = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined;
      if (make === undefined) throw new Unknown(`${where}/${keyword}`, 'This keyword is not known here.');
      const inner = (part: unknown, name: string): Check => compile(part, base, `${where}/${keyword}/${name}`);
      rules.push(make(argument, inner, schema, `${where}/${keyword}`));
    }
    return check;
  }

  function baseOf(reference: string, base: string): string {
    return new URL(reference, base).href.replace(/#.*$/s, '');
  }
}

/** Ends reading or judging where something is not understood. */
class Unknown {
  readonly where: string;
  readonly detail: string;
  constructor(where: string, detail: string) {
    this.where = where;
    this.detail = detail;
  }
}

type Keyword = (
  argument: unknown,
  inner: (schema: unknown, name: string) => Check,
  schema: Readonly<Record<string, unknown>>,
  where: string,
) => Check;

const inside = (at: Place, name: string | number): Place => ({
  pointer: `${at.pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`,
  steps: at.steps,
  references: 0,
});

/** A rule for values of one kind: others are none of its business. */
const when =
  <T>(is: (value: unknown) => value is T, rule: (value: T, at: Place) => string | Problem | undefined): Check =>
  (value, at) => {
    if (!is(value)) return undefined;
    const found = rule(value, at);
    return typeof found === 'string' ? problem(at.pointer, found) : found;
  };
const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isList = (value: unknown): value is unknown[] => Array.isArray(value);

function count(argument: unknown, where: string): number {
  if (typeof argument !== 'number') throw new Unknown(where, 'It is no number.');
  return argument;
}

function list(argument: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(argument)) throw new Unknown(where, 'It is no list.');
  return argument;
}

function fields(argument: unknown, where: string): readonly (readonly [string, unknown])[] {
  if (!isObject(argument)) throw new Unknown(where, 'It is no object.');
  return Object.entries(argument);
}

/** One text for equal values, whatever the order of their keys. */
function same(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: isText,
  number: isNumber,
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  object: isObject,
  array: Array.isArray,
};

const KEYWORDS: Readonly<Record<string, Keyword>> = {
  type(argument, _, __, where) {
    const names = (Array.isArray(argument) ? argument : [argument]) as unknown[];
    const tests = names.map((name) => {
      const test = typeof name === 'string' && Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
      if (test === undefined) throw new Unknown(where, 'There is no such type.');
      return test;
    });
    return (value, { pointer }) =>
      tests.some((test) => test(value)) ? undefined : problem(pointer, `It is no ${names.join(' or ')}.`);
  },
  enum(argument, _, __, where) {
    const values = new Set(list(argument, where).map(same));
    return (value, { pointer }) =>
      values.has(same(value)) ? undefined : problem(pointer, 'It is none of the values.');
  },
  const(argument) {
    const due = same(argument);
    return (value, { pointer }) => (same(value) === due ? undefined : problem(pointer, `It is not ${due}.`));
  },
  required(argument, _, __, where) {
    const names = list(argument, where).map(String);
    return when(isObject, (value) => {
      const missing = names.find((name) => !Object.hasOwn(value, name));
      return missing === undefined ? undefined : `'${missing}' is missing.`;
    });
  },
  properties(argument, inner, _, where) {
    const checks = fields(argument, where).map(([name, schema]) => [name, inner(schema, name)] as const);
    return when(isObject, (value, at) => {
      for (const [name, check] of checks) {
        const found = Object.hasOwn(value, name) ? check(value[name], inside(at, name)) : undefined;
        if (found !== undefined) return found;
      }
      return undefined;
    });
  },
  patternProperties(argument, inner, _, where) {
    const checks = fields(argument, where).map(
      ([text, schema]) => [pattern(text, where), inner(schema, text)] as const,
    );
    return when(isObject, (value, at) => {
      for (const [name, part] of Object.entries(value)) {
        for (const [expression, check] of checks) {
          const found = expression.test(name) ? check(part, inside(at, name)) : undefined;
          if (found !== undefined) return found;
        }
      }
      return undefined;
    });
  },
  additionalProperties(argument, inner, schema, where) {
    const named = new Set(isObject(schema['properties']) ? Object.keys(schema['properties']) : []);
    const patterns = isObject(schema['patternProperties'])
      ? Object.keys(schema['patternProperties']).map((text) => pattern(text, where))
      : [];
    const check = inner(argument, '');
    return when(isObject, (value, at) => {
      for (const [name, part] of Object.entries(value)) {
        if (named.has(name) || patterns.some((one) => one.test(name))) continue;
        const found = check(part, inside(at, name));
        if (found !== undefined) return found;
      }
      return undefined;
    });
  },
  items(argument, inner, schema, where) {
    const each = Array.isArray(argument) ? undefined : inner(argument, '');
    const first = Array.isArray(argument) ? argument.map((part, i) => inner(part, String(i))) : [];
    const rest = first.length > 0 && 'additionalItems' in schema ? inner(schema['additionalItems'], where) : undefined;
    return when(isList, (value, at) => {
      for (const [i, part] of value.entries()) {
        const found = (each ?? first[i] ?? rest)?.(part, inside(at, i));
        if (found !== undefined) return found;
      }
      return undefined;
    });
  },
  allOf(argument, inner, _, where) {
    const checks = list(argument, where).map((part, i) => inner(part, String(i)));
    return (value, at) => {
      for (const check of checks) {
        const found = check(value, at);
        if (found !== undefined) return found;
      }
      return undefined;
    };
  },
  anyOf(argument, inner, _, where) {
    const checks = list(argument, where).map((part, i) => inner(part, String(i)));
    return (value, at) =>
      checks.some((check) => check(value, at) === undefined)
        ? undefined
        : problem(at.pointer, 'It has none of the forms.');
  },
  oneOf(argument, inner, _, where) {
    const checks = list(argument, where).map((part, i) => inner(part, String(i)));
    return (value, at) => {
      const fits = checks.filter((check) => check(value, at) === undefined).length;
      return fits === 1 ? undefined : problem(at.pointer, `It has ${fits} of the forms, not one.`);
    };
  },
  not(argument, inner) {
    const check = inner(argument, '');
    return (value, at) =>
      check(value, at) === undefined ? problem(at.pointer, 'It has a form that it may not have.') : undefined;
  },
  if(argument, inner, schema) {
    const condition = inner(argument, 'if');
    const then = 'then' in schema ? inner(schema['then'], 'then') : undefined;
    const otherwise = 'else' in schema ? inner(schema['else'], 'else') : undefined;
    return (value, at) => (condition(value, at) === undefined ? then : otherwise)?.(value, at);
  },
  pattern(argument, _, __, where) {
    const expression = pattern(String(argument), where);
    return when(isText, (value) => (expression.test(value) ? undefined : 'It does not have the form of such a text.'));
  },
  format(argument, _, __, where) {
    const test = typeof argument === 'string' && Object.hasOwn(FORMATS, argument) ? FORMATS[argument] : undefined;
    if (test === undefined) throw new Unknown(where, 'This format is not known here.');
    return when(isText, (value) => (test(value) ? undefined : `It is no ${String(argument)}.`));
  },
  minimum(argument, _, __, where) {
    const bound = count(argument, where);
    return when(isNumber, (value) => (value < bound ? `It is below ${bound}.` : undefined));
  },
  maximum(argument, _, __, where) {
    const bound = count(argument, where);
    return when(isNumber, (value) => (value > bound ? `It is above ${bound}.` : undefined));
  },
  minLength(argument, _, __, where) {
    const bound = count(argument, where);
    return when(isText, (value) => ([...value].length < bound ? `It has fewer than ${bound} characters.` : undefined));
  },
  maxLength(argument, _, __, where) {
    const bound = count(argument, where);
    return when(isText, (value) => ([...value].length > bound ? `It has more than ${bound} characters.` : undefined));
  },
  minItems(argument, _, __, where) {
    const bound = count(argument, where);
    return when(isList, (value) => (value.length < bound ? `It has fewer than ${bound} items.` : undefined));
  },
  maxItems(argument, _, __, where) {
    const bound = count(argument, where);
    return when(isList, (value) => (value.length > bound ? `It has more than ${bound} items.` : undefined));
  },
  uniqueItems(argument) {
    return when(isList, (value) =>
      argument === true && new Set(value.map(same)).size !== value.length ? 'An item is there twice.' : undefined,
    );
  },
};

function pattern(text: string, where: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch {
    throw new Unknown(where, 'It is no regular expression.');
  }
}
