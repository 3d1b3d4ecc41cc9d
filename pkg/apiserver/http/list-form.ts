/** A list in the form that was asked for: as itself, as a table, or its metadata alone. */
import { apiVersionOf, type KubernetesObject } from '#api/object';
import type { ServedList, ServedObject } from '../verbs/answer.ts';
import type { ReplyForm } from './media-type.ts';
import type { PublishedResource } from './published-resources.ts';
import { type IncludeObject, makeRow, makeTable, partialMetadata } from './table.ts';

export interface ListForm {
  readonly form: Pick<ReplyForm, 'shape' | 'version'>;
  readonly resource: Pick<PublishedResource, 'columns' | 'columnForm' | 'group' | 'version' | 'kind'>;
  /** Of the rows of a table. */
  readonly include: IncludeObject;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The whole list as plain data. */
export function listBody(list: ServedList, { form, resource, include, now }: ListForm): object {
  const { apiVersion, kind, metadata } = list;
  const objects = list.items.map((item) => item.object);
  switch (form.shape) {
    case 'Table': {
      const rows = objects.map((object) => makeRow(resource, object, include, form.version, now));
      return makeTable(form.version, metadata, resource.columns.columns, rows);
    }
    case 'PartialObjectMetadataList':
      return metadataList(
        list,
        form.version,
        objects.map((object) => partialMetadata(object, form.version)),
      );
    default:
      return { kind, apiVersion, metadata, items: namesItems(resource) ? objects : objects.map(withoutType) };
  }
}

/** The JSON of `listBody`, piece by piece: what the store holds is handed on as the bytes that it holds. */
export function* listPieces(list: ServedList, { form, resource, include, now }: ListForm): Generator<Uint8Array> {
  let head: object;
  let piece: (item: ServedObject) => readonly Uint8Array[];
  if (form.shape === 'Table') {
    head = makeTable(form.version, list.metadata, resource.columns.columns, []);
    piece = ({ object }) => [Buffer.from(JSON.stringify(makeRow(resource, object, include, form.version, now)))];
  } else if (form.shape === 'PartialObjectMetadataList') {
    head = metadataList(list, form.version, []);
    piece = ({ object }) => [Buffer.from(JSON.stringify(partialMetadata(object, form.version)))];
  } else {
    head = { kind: list.kind, apiVersion: list.apiVersion, metadata: list.metadata, items: [] };
    piece = namesItems(resource) ? ({ bytes }) => [bytes] : untypedPieces(resource);
  }
  // The head ends with an empty list: what is between its brackets follows.
  yield Buffer.from(JSON.stringify(head).slice(0, -2));
  let first = true;
  for (const item of list.items) {
    if (!first) yield comma;
    first = false;
    yield* piece(item);
  }
  yield listEnd;
}

function metadataList({ metadata }: ServedList, version: string, items: readonly object[]): object {
  return { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${version}`, metadata, items };
}

/** Whether the items of a list have a kind and version of their own, as in Kubernetes those of custom resources do, and no others. */
function namesItems({ group }: { readonly group: string }): boolean {
  return group.includes('.') && !group.endsWith('.k8s.io');
}

function withoutType({ apiVersion: _, kind: __, ...rest }: KubernetesObject): object {
  return rest;
}

/** The object's JSON less its kind and version, which it mostly begins with. */
function untypedPieces(resource: { readonly group: string; readonly version: string; readonly kind: string }) {
  const { apiVersion, kind } = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  const type = Buffer.from(`${JSON.stringify({ apiVersion, kind }).slice(0, -1)},`);
  return (item: ServedObject): readonly Uint8Array[] => {
    const { bytes } = item;
    if (bytes.length > type.length && bytes.compare(type, 0, type.length, 0, type.length) === 0) {
      return [brace, bytes.subarray(type.length)];
    }
    return [Buffer.from(JSON.stringify(withoutType(item.object)))];
  };
}

const brace = Buffer.from('{');
const comma = Buffer.from(',');
const listEnd = Buffer.from(']}\n');
