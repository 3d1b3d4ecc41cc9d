/** The short form of ports: `[[address:]published[-end]:]target[-end][/protocol]`. */
import { ComposeError } from '../compose-error.ts';
import type { ServicePort } from '../model.ts';

const protocols = new Set(['tcp', 'udp', 'sctp']);

interface Range {
  readonly start: number;
  readonly end: number;
}

/** One port for each of the range. Throws ComposeError. */
export function parsePortSpec(spec: string): ServicePort[] {
  const fail = (reason: string): ComposeError =>
    new ComposeError(`invalid port ${JSON.stringify(spec)}: ${reason}`, { next: 'write [address:]published:target[/protocol]' });
  const slash = spec.lastIndexOf('/');
  const protocol = (slash < 0 ? 'tcp' : spec.slice(slash + 1)).toLowerCase();
  if (!protocols.has(protocol)) throw fail('the protocol is tcp, udp or sctp');
  const parts = (slash < 0 ? spec : spec.slice(0, slash)).split(':');
  const targetText = parts.pop() ?? '';
  const publishedText = parts.pop() ?? '';
  const address = parts.join(':').replace(/^\[(.*)\]$/, '$1');
  if (address !== '' && !isAddress(address)) throw fail(`${address} is no IP address`);
  const target = parseRange(targetText);
  if (target === undefined) throw fail(targetText === '' ? 'no port of the container' : `${targetText} is no port`);
  const published = publishedText === '' ? undefined : parseRange(publishedText);
  if (publishedText !== '' && published === undefined) throw fail(`${publishedText} is no port`);
  const count = target.end - target.start;
  if (published !== undefined && count !== 0 && published.end - published.start !== count)
    throw fail('the two ranges have different lengths');
  const ports: ServicePort[] = [];
  for (let index = 0; index <= count; index++) {
    const port: ServicePort = { mode: 'ingress', target: target.start + index, protocol };
    if (address !== '') port.host_ip = address;
    if (published !== undefined) {
      port.published =
        count === 0 && published.end !== published.start ? `${published.start}-${published.end}` : String(published.start + index);
    }
    ports.push(port);
  }
  return ports.toSorted((left, right) => (`${left.target}/` < `${right.target}/` ? -1 : 1));
}

export function isAddress(text: string): boolean {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(text)) return text.split('.').every((part) => Number(part) <= 255);
  return text.includes(':') && /^[0-9a-fA-F:.]+(%\w+)?$/.test(text);
}

function parseRange(text: string): Range | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2] ?? match[1]);
  return start <= end && end <= 65_535 ? { start, end } : undefined;
}
