/**
 * What a certificate signing request (PKCS#10, RFC 2986) asks for: the names in it, read by hand from its DER. Whether its signature is right is not looked
 * at here; nobody should be given a certificate by these names alone.
 */
import { type DerElement, readElement } from '#base/der';

export interface SigningRequest {
  /** The whole name in DER, as it will stand in the certificate. */
  readonly subject: Buffer;
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** The alternative names. */
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
}

const ids = { commonName: '550403', organization: '55040a', extensionRequest: '2a864886f70d01090e', alternativeName: '551d11' };
const tags = { email: 0x81, dns: 0x82, uri: 0x86, address: 0x87 };

/** Undefined for what is no such request. */
export function parseSigningRequest(pem: string): SigningRequest | undefined {
  const base64 = /-----BEGIN CERTIFICATE REQUEST-----([\s\S]+)-----END CERTIFICATE REQUEST-----/.exec(pem)?.[1];
  if (base64 === undefined) return undefined;
  try {
    const [version, subject, , attributes] = childrenOf(readElement(readElement(Buffer.from(base64, 'base64')).content));
    if (version?.tag !== 0x02 || subject?.tag !== 0x30) return undefined;
    const alternatives = alternativeNames(attributes);
    const texts = (tag: number): string[] =>
      alternatives.filter((each) => each.tag === tag).map(({ content }) => content.toString('latin1'));
    return {
      subject: subject.whole,
      commonName: namesIn(subject, ids.commonName)[0] ?? '',
      organizations: namesIn(subject, ids.organization),
      dnsNames: texts(tags.dns),
      addresses: alternatives.filter(({ tag }) => tag === tags.address).map(({ content }) => addressOf(content)),
      emails: texts(tags.email),
      uris: texts(tags.uri),
    };
  } catch (error) {
    // What ends too early, as der.ts and Node's own buffers say it.
    if ((error as { name?: unknown }).name === 'RangeError') return undefined;
    throw error;
  }
}

function childrenOf({ content }: DerElement): DerElement[] {
  const children: DerElement[] = [];
  for (let rest = content; rest.length > 0; ) {
    const child = readElement(rest);
    children.push(child);
    rest = child.rest;
  }
  return children;
}

/** A name is a sequence of sets of pairs of an identifier and a text. */
function namesIn(subject: DerElement, id: string): string[] {
  return childrenOf(subject)
    .flatMap(childrenOf)
    .flatMap((pair) => {
      const [type, value] = childrenOf(pair);
      return type?.content.toString('hex') === id && value !== undefined ? [textOf(value)] : [];
    });
}

function textOf({ tag, content }: DerElement): string {
  if (tag === 0x0c) return content.toString('utf8');
  return tag === 0x1e ? Buffer.from(content).swap16().toString('utf16le') : content.toString('latin1');
}

/** The general names of the extension, where the request asks for it. */
function alternativeNames(attributes: DerElement | undefined): DerElement[] {
  if (attributes?.tag !== 0xa0) return [];
  const extensions = childrenOf(attributes).flatMap((attribute) => {
    const [type, values] = childrenOf(attribute);
    return type?.content.toString('hex') === ids.extensionRequest && values !== undefined ? childrenOf(values).flatMap(childrenOf) : [];
  });
  return extensions.flatMap((extension) => {
    const [type, ...rest] = childrenOf(extension);
    const value = rest.at(-1);
    return type?.content.toString('hex') === ids.alternativeName && value !== undefined ? childrenOf(readElement(value.content)) : [];
  });
}

/** 4 bytes are IPv4, 16 are IPv6. Throws `RangeError` for any other number. */
function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  if (bytes.length !== 16) throw new RangeError('an address has 4 or 16 bytes');
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
