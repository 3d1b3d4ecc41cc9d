/** A list in the form that was asked for (as itself, as a table, or its metadata alone), whole or piece by piece. */
import { apiVersionOf, type KubernetesObject } from '#api/object';
import type { ServedList, ServedObject } from '../verbs/answer.ts';
import type { ReplyForm } from './media-type.ts';
import type { PublishedResource } from './published-resources.ts';
import { type IncludeObject, makeRow, makeTable, partialMetadata } from './table.ts';

export interface ListForm {
  readonly form: Pick<ReplyForm, 'shape' | 'version' | 'pretty'>;
  readonly resource: Pick<PublishedResource, 'columns' | 'columnForm' | 'group' | 'version' | 'kind'>;
  /** Of the rows of a table. */
  readonly include: IncludeObject;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Makes YAML of plain data; absent: the list is written as JSON. */
  readonly yaml?: ((data: object) => string) | undefined;
}

/** The whole list as plain data. */
export function listBody(list: ServedList, listForm: ListForm): object {
  const itemOf = itemsOf(listForm);
  return headOf(
    list,
    listForm,
    list.items.map(({ object }) => itemOf(object)),
  );
}

/** The text of `listBody`, piece by piece, the items one by one: what the store holds is handed on as the bytes that it holds. */
export function* listPieces(list: ServedList, listForm: ListForm): Generator<Uint8Array> {
  const { form, resource, yaml } = listForm;
  const itemOf = itemsOf(listForm);
  const head = headOf(list, listForm, []);
  if (yaml !== undefined) {
    const text = yaml(head);
    yield Buffer.from(list.items.length === 0 ? text : text.replace(/ \[\]\n$/, '\n'));
    for (const { object } of list.items) yield Buffer.from(`  - ${indent(yaml(itemOf(object)).trimEnd(), '    ')}\n`);
    return;
  }
  if (form.pretty) {
    const text = JSON.stringify(head, null, 2);
    yield Buffer.from(list.items.length === 0 ? `${text}\n` : text.slice(0, -']\n}'.length));
    let before = '\n    ';
    for (const { object } of list.items) {
      yield Buffer.from(before + indent(JSON.stringify(itemOf(object), null, 2), '    '));
      before = ',\n    ';
    }
    if (list.items.length > 0) yield Buffer.from('\n  ]\n}\n');
    return;
  }
  const whole = form.shape !== 'Table' && form.shape !== 'PartialObjectMetadataList';
  const bytesOf = whole ? bytesFor(resource) : ({ object }: ServedObject) => [Buffer.from(JSON.stringify(itemOf(object)))];
  // The head ends with an empty list: what is between its brackets follows.
  yield Buffer.from(JSON.stringify(head).slice(0, -']}'.length));
  let first = true;
  for (const item of list.items) {
    if (!first) yield comma;
    first = false;
    yield* bytesOf(item);
  }
  yield listEnd;
}

/** The list with these items, which stand last. */
function headOf({ apiVersion, kind, metadata }: ServedList, { form, resource }: ListForm, items: readonly object[]): object {
  switch (form.shape) {
    case 'Table':
      return makeTable(form.version, metadata, resource.columns.columns, items);
    case 'PartialObjectMetadataList':
      return { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.version}`, metadata, items };
    default:
      return { kind, apiVersion, metadata, items };
  }
}

function itemsOf({ form, resource, include, now }: ListForm): (object: KubernetesObject) => object {
  switch (form.shape) {
    case 'Table':
      return (object) => makeRow(resource, object, include, form.version, now);
    case 'PartialObjectMetadataList':
      return (object) => partialMetadata(object, form.version);
    default:
      return namesItems(resource) ? (object) => object : withoutType;
  }
}

/** Whether the items of a list have a kind and version of their own, as in Kubernetes those of custom resources do, and no others. */
function namesItems({ group }: { readonly group: string }): boolean {
  return group.includes('.') && !group.endsWith('.k8s.io');
}

function withoutType(object: KubernetesObject): object {
  const { apiVersion: _, kind: __, ...rest } = object;
  return rest;
}

/** The JSON of an item that is an object as it is: less its kind and version, with which it mostly begins, where lists leave them out. */
function bytesFor(resource: ListForm['resource']): (item: ServedObject) => readonly Uint8Array[] {
  if (namesItems(resource)) return ({ bytes }) => [bytes];
  const type = Buffer.from(`${JSON.stringify({ apiVersion: apiVersionOf(resource), kind: resource.kind }).slice(0, -1)},`);
  return (item) => {
    const { bytes } = item;
    if (bytes.length > type.length && bytes.compare(type, 0, type.length, 0, type.length) === 0) {
      return [brace, bytes.subarray(type.length)];
    }
    return [Buffer.from(JSON.stringify(withoutType(item.object)))];
  };
}

function indent(text: string, by: string): string {
  return text.replaceAll(/\n(?!\n)/g, `\n${by}`);
}

const brace = Buffer.from('{');
const comma = Buffer.from(',');
const listEnd = Buffer.from(']}\n');
