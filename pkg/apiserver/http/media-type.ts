/**
 * Content negotiation: which form of an object a client takes (`Accept`) and which it sent (`Content-Type`).
 * A form is an encoding and, optionally, another shape of the object (`as=Table`), as Kubernetes spells them.
 */
import { StatusError } from '#base/errors';

export interface MediaType {
  /** `application/json`, lower case. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

export type Encoding = 'json' | 'yaml' | 'protobuf';
export type Shape = 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';

/** How a reply is to be written. */
export interface ReplyForm {
  readonly encoding: Encoding;
  readonly shape: Shape;
  /** Of meta.k8s.io, where the shape is not the object's own. */
  readonly version: 'v1' | 'v1beta1';
  /** JSON with line ends and indentation, for people. */
  readonly pretty: boolean;
}

export const encodingTypes: Readonly<Record<Encoding, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

/** Reads one media type with its parameters; undefined when it is none. */
export function parseMediaType(text: string): MediaType | undefined {
  const parts = text.split(';');
  const type = parts[0]!.trim().toLowerCase();
  if (!/^[\w.+*-]+\/[\w.+*@-]+$/.test(type)) return undefined;
  const parameters = new Map<string, string>();
  for (const part of parts.slice(1)) {
    const equals = part.indexOf('=');
    if (equals < 0) continue;
    const value = part.slice(equals + 1).trim();
    parameters.set(part.slice(0, equals).trim().toLowerCase(), value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value);
  }
  return { type, parameters };
}

/** The media types of an `Accept` header, the most wanted first, of those wanted alike the more definite; those with `q=0` are left out. No header means anything goes. */
export function parseAccept(header: string | undefined): readonly MediaType[] {
  if (header === undefined || header.trim() === '') return [{ type: '*/*', parameters: new Map() }];
  const ranked: { media: MediaType; quality: number; order: number }[] = [];
  for (const [order, text] of header.split(',').entries()) {
    const media = parseMediaType(text);
    if (media === undefined) continue;
    const quality = media.parameters.has('q') ? Number(media.parameters.get('q')) : 1;
    if (Number.isFinite(quality) && quality > 0) ranked.push({ media, quality, order });
  }
  const byWish = ranked.toSorted((a, b) => b.quality - a.quality || wildcards(a.media) - wildcards(b.media) || a.order - b.order);
  return byWish.map((entry) => entry.media);
}

function wildcards({ type }: MediaType): number {
  return type.split('*').length - 1;
}

function encodingOf(type: string): Encoding | undefined {
  switch (type) {
    case 'application/json':
    case 'application/*':
    case '*/*':
      return 'json';
    case 'application/yaml':
      return 'yaml';
    case 'application/vnd.kubernetes.protobuf':
      return 'protobuf';
    default:
      return undefined;
  }
}

export interface NegotiationOptions {
  readonly encodings?: readonly Encoding[];
  /** Shapes that the request allows besides the object itself. */
  readonly shapes?: readonly Shape[];
  /** Of the client: what people read their replies with is given them with line ends. */
  readonly userAgent?: string | undefined;
}

/** Beginnings of what browsers, and programs at a terminal, call themselves. */
const readers = /^(curl|Wget|Mozilla\/5\.0)/;

const plainJson: ReplyForm = { encoding: 'json', shape: 'object', version: 'v1', pretty: false };
const plainProtobuf: ReplyForm = { ...plainJson, encoding: 'protobuf' };

/** What most programs ask for, without a look at the rest of the header; undefined where that must be read. */
function plainForm(accept: string, { encodings, userAgent = '' }: NegotiationOptions): ReplyForm | undefined {
  if (accept === encodingTypes.json) return plainJson;
  // A parameter may be a shape, or say what is wanted less.
  if (accept.includes(';')) return undefined;
  if (accept.startsWith('application/json,')) return readers.test(userAgent) ? undefined : plainJson;
  if (accept !== encodingTypes.protobuf && !accept.startsWith('application/vnd.kubernetes.protobuf,')) return undefined;
  return encodings === undefined || encodings.includes('protobuf') ? plainProtobuf : undefined;
}

/** Chooses the form of a reply. Throws `NotAcceptable` (406) when nothing that the client takes can be given. */
export function negotiate(accept: string | undefined, query: URLSearchParams, options: NegotiationOptions = {}): ReplyForm {
  if (query.size === 0) {
    const plain = accept === undefined ? (readers.test(options.userAgent ?? '') ? undefined : plainJson) : plainForm(accept, options);
    if (plain !== undefined) return plain;
  }
  const encodings = options.encodings ?? ['json', 'yaml', 'protobuf'];
  for (const media of parseAccept(accept)) {
    const encoding = encodingOf(media.type);
    if (encoding === undefined || !encodings.includes(encoding)) continue;
    const shape = shapeOf(media, options.shapes ?? []);
    if (shape === undefined) continue;
    if (encoding === 'protobuf' && shape === 'Table') continue;
    return {
      encoding,
      shape,
      version: media.parameters.get('v') === 'v1beta1' ? 'v1beta1' : 'v1',
      pretty: media.parameters.get('pretty') === '1' || isPretty(query.get('pretty') ?? '', options.userAgent ?? ''),
    };
  }
  throw notAcceptable(encodings.map((encoding) => encodingTypes[encoding]));
}

function isPretty(wanted: string, userAgent: string): boolean {
  return wanted === '' ? readers.test(userAgent) : /^(1|t|true)$/i.test(wanted);
}

function shapeOf(media: MediaType, shapes: readonly Shape[]): Shape | undefined {
  const as = media.parameters.get('as');
  if (as === undefined) return 'object';
  const version = media.parameters.get('v');
  if (media.parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  return shapes.find((shape) => shape === as);
}

export function notAcceptable(accepted: readonly string[]): StatusError {
  return new StatusError('NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}
