/**
 * The events of watches as they go over the wire. Watches in the same form that are equally far are given the same bytes, joined once; and in forms that
 * are dear to encode, an event is encoded once for those that are not quite equally far.
 */
import { apiVersionOf, type KubernetesObject } from '#api/object';
import { watchFrame } from '#api/protobuf/envelope';
import type { Clock } from '#base/clock';
import type { StatusError } from '#base/errors';
import type { ServedEvent, ServedObject } from '../verbs/answer.ts';
import type { Encoding, ReplyForm } from './media-type.ts';
import { encodeProtobufBody } from './protobuf.ts';
import type { PublishedResource } from './published-resources.ts';
import { type IncludeObject, makeRow, makeTable, partialMetadata } from './table.ts';

export interface WatchForm {
  readonly form: ReplyForm;
  readonly resource: PublishedResource;
  /** Of the rows of tables. */
  readonly include: IncludeObject;
}

/** Annotations of the bookmark that ends the initial events. */
const initialEnd = 'k8s.io/initial-events-end';
const listBlueprint = 'kubernetes.io/initial-events-list-blueprint';

/** Bytes and events of one piece; others run between pieces. */
const pieceBytes = 256 * 1024;
const pieceEvents = 200;
/** Encoded events that are kept for others, and the largest of them. */
const keptFrames = 256;
const largestKept = 32 * 1024;

/** One for each form in which watches are asked for. */
export class WatchFrames {
  readonly #form: WatchForm;
  readonly #clock: Clock;
  readonly #joined = new WeakMap<readonly ServedEvent[], Uint8Array>();
  readonly #recent = new Map<ServedObject, { readonly type: string; readonly bytes: Uint8Array }>();

  constructor(form: WatchForm, clock: Clock) {
    this.#form = form;
    this.#clock = clock;
  }

  /** The events in pieces of a sensible size. `first`: with them the watch begins. */
  *pieces(events: readonly ServedEvent[], first: boolean): Generator<Uint8Array> {
    const { shape } = this.#form.form;
    const shared = events.length <= pieceEvents && !(first && shape === 'Table');
    const known = shared ? this.#joined.get(events) : undefined;
    if (known !== undefined) {
      yield known;
      return;
    }
    let parts: Uint8Array[] = [];
    let size = 0;
    let count = 0;
    let pieces = 0;
    for (const [index, event] of events.entries()) {
      for (const part of this.#encode(event, first && index === 0)) {
        parts.push(part);
        size += part.length;
      }
      if (size < pieceBytes && ++count < pieceEvents) continue;
      if (index + 1 < events.length) {
        pieces++;
        yield Buffer.concat(parts, size);
        [parts, size, count] = [[], 0, 0];
      }
    }
    const last = Buffer.concat(parts, size);
    if (shared && pieces === 0) this.#joined.set(events, last);
    yield last;
  }

  error(error: StatusError): Uint8Array {
    return Buffer.concat(frameOf(this.#form.form.encoding, 'ERROR', error.toStatus()));
  }

  #encode({ type, object }: ServedEvent, first: boolean): readonly Uint8Array[] {
    const { form } = this.#form;
    const endsInitial = type === 'BOOKMARK' && object.object.metadata.annotations?.[initialEnd] !== undefined;
    if (form.shape === 'object' && form.encoding === 'json' && !endsInitial) return jsonFrame(type, object.bytes);
    // The age in a table's row is that of now.
    if (form.shape === 'Table') return frameOf(form.encoding, type, this.#table(type, object, first));
    if (endsInitial) return frameOf(form.encoding, type, this.#withBlueprint(object.object));
    const known = this.#recent.get(object);
    if (known?.type === type) return [known.bytes];
    const shaped = form.shape === 'object' ? object.object : partialMetadata(object.object, form.version);
    const bytes = Buffer.concat(frameOf(form.encoding, type, shaped));
    if (bytes.length > largestKept) return [bytes];
    const [oldest] = this.#recent.keys();
    if (this.#recent.size >= keptFrames && oldest !== undefined) this.#recent.delete(oldest);
    this.#recent.set(object, { type, bytes });
    return [bytes];
  }

  /** At the end of the initial events clients are given, encoded in their form, the empty list to which these events are added up. */
  #withBlueprint(bookmark: KubernetesObject): object {
    const { form, resource } = this.#form;
    const type =
      form.shape === 'object'
        ? { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource) }
        : { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.version}` };
    const list = { ...type, metadata: {}, items: [] };
    const bytes = form.encoding === 'protobuf' ? encodeProtobufBody(list) : Buffer.from(JSON.stringify(list));
    const { metadata } = bookmark;
    const annotations = { ...metadata.annotations, [listBlueprint]: Buffer.from(bytes).toString('base64') };
    const made = { ...bookmark, metadata: { ...metadata, annotations } };
    return form.shape === 'object' ? made : partialMetadata(made, form.version);
  }

  #table(type: string, { object }: ServedObject, first: boolean): object {
    const { form, resource, include } = this.#form;
    const { columns } = resource.columns;
    const { resourceVersion } = object.metadata;
    const row =
      type === 'BOOKMARK'
        ? { cells: columns.map(() => null), object: partialMetadata(object, form.version) }
        : makeRow(resource, object, include, form.version, this.#clock.now());
    return makeTable(form.version, resourceVersion === undefined ? {} : { resourceVersion }, first ? columns : undefined, [row]);
  }
}

const jsonHeads = new Map(
  ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'].map((type) => [type, Buffer.from(`{"type":"${type}","object":`)]),
);
const jsonEnd = Buffer.from('}\n');

function jsonFrame(type: string, object: Uint8Array): readonly Uint8Array[] {
  return [jsonHeads.get(type)!, object, jsonEnd];
}

function frameOf(encoding: Encoding, type: string, object: object): readonly Uint8Array[] {
  return encoding === 'protobuf' ? [watchFrame(type, encodeProtobufBody(object))] : jsonFrame(type, Buffer.from(JSON.stringify(object)));
}
