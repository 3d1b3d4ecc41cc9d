/**
 * Reads the lines of the type tables (`kubernetes-types.txt`, `berth-types.txt`), whose format is explained at their top.
 * Used by the generator, which checks everything, and at run time by `type-table.ts`, which parses a type when it is first asked for.
 */

/** How the values of a type look in JSON. `message` has the fields that the table names; the others are spelled as one JSON value. */
export type TypeForm = 'message' | 'time' | 'microTime' | 'quantity' | 'intOrString' | 'object' | 'any';

export interface FieldDescription {
  readonly name: string;
  /** Of one element: `string`, `boolean`, `int32`, `int64`, `double`, `bytes`, `any`, or the name of a type (`core.v1.Container`). */
  readonly type: string;
  readonly shape: 'single' | 'list' | 'map';
  /** `map<[]string>`: each value of the map is itself a list. */
  readonly valueIsList: boolean;
  /** Field numbers from the outermost message; more than one where Go inlines a struct. Empty: JSON only. */
  readonly path: readonly number[];
  /** Absent and zero differ. */
  readonly pointer: boolean;
  readonly omitEmpty: boolean;
  readonly required: boolean;
  readonly listType: 'atomic' | 'set' | 'map' | undefined;
  readonly listMapKeys: readonly string[];
  /** `merge`, `retainKeys`, `replace`, in strategic merge patches. */
  readonly patchStrategy: readonly string[];
  readonly patchMergeKey: string | undefined;
  readonly mapType: 'atomic' | undefined;
  /** As published in OpenAPI; undefined where there is none. */
  readonly default: unknown;
  /** In protobuf alone: the message behind a value that JSON spells differently. */
  readonly protobufOnly: boolean;
}

export interface UnionDescription {
  readonly discriminator?: string;
  readonly 'fields-to-discriminateBy': Readonly<Record<string, string>>;
}

export interface TypeDescription {
  /** `core.v1.Pod`. */
  readonly name: string;
  readonly form: TypeForm;
  /** For types that have `apiVersion` and `kind`; these two are not among the fields. */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string } | undefined;
  readonly mapType: 'atomic' | undefined;
  readonly unions: readonly UnionDescription[];
  readonly fields: readonly FieldDescription[];
}

const fixedForms: Readonly<Record<string, TypeForm>> = {
  Quantity: 'quantity',
  IntOrString: 'intOrString',
  'meta.v1.Time': 'time',
  'meta.v1.MicroTime': 'microTime',
  'meta.v1.FieldsV1': 'any',
  'runtime.RawExtension': 'any',
  'apiextensions.v1.JSON': 'any',
  'apiextensions.v1.JSONSchemaPropsOrBool': 'any',
  'apiextensions.v1.JSONSchemaPropsOrArray': 'any',
  'apiextensions.v1.JSONSchemaPropsOrStringArray': 'any',
};

/** `header` is what follows the type's name on its first line; `lines` are its fields. Throws on what the format does not allow. */
export function parseType(name: string, header: string, lines: readonly string[]): TypeDescription {
  const kind = /(?:^|\s)kind (\S+)\/(\S+) (\S+)/.exec(header);
  const union = /(?:^|\s)union (\[.*\])/.exec(header);
  return {
    name,
    form: fixedForms[name] ?? (/(?:^|\s)= object/.test(header) ? 'object' : 'message'),
    kind:
      kind?.[1] === undefined || kind[2] === undefined || kind[3] === undefined
        ? undefined
        : { group: kind[1] === 'core' ? '' : kind[1], version: kind[2], kind: kind[3] },
    mapType: /(?:^|\s)map-type=atomic/.test(header) ? 'atomic' : undefined,
    unions: union?.[1] === undefined ? [] : (JSON.parse(union[1]) as UnionDescription[]),
    fields: lines.map((line) => parseField(name, line)),
  };
}

function parseField(typeName: string, line: string): FieldDescription {
  const match = /^\s*(~?)(\S+)\s+(\S+)\s+(\S+)\s*(.*)$/.exec(line);
  if (match === null) throw new Error(`${typeName}: cannot read the field line ${JSON.stringify(line)}`);
  const [, tilde = '', name = '', spelled = '', number = '', facts = ''] = match;
  const map = /^map<(.*)>$/.exec(spelled)?.[1];
  const inner = map ?? spelled;
  const isList = inner.startsWith('[]');
  const list = /(?:^|\s)list=(\w+)(?:\(([^)]*)\))?/.exec(facts);
  const patch = /(?:^|\s)patch=([\w,]+)(?:\(([^)]*)\))?/.exec(facts);
  const fallback = /(?:^|\s)default=(\S+)/.exec(facts)?.[1];
  const words = facts.split(/\s+/);
  return {
    name,
    type: isList ? inner.slice(2) : inner,
    shape: map !== undefined ? 'map' : isList ? 'list' : 'single',
    valueIsList: map !== undefined && isList,
    path: number === '-' ? [] : number.split('/').map(Number),
    pointer: words.includes('ptr'),
    omitEmpty: words.includes('omitempty'),
    required: words.includes('required'),
    listType: list?.[1] as FieldDescription['listType'],
    listMapKeys: list?.[2]?.split(',') ?? [],
    patchStrategy: patch?.[1]?.split(',') ?? [],
    patchMergeKey: patch?.[2],
    mapType: words.includes('map-type=atomic') ? 'atomic' : undefined,
    default: fallback === undefined ? undefined : (JSON.parse(fallback) as unknown),
    protobufOnly: tilde === '~',
  };
}
