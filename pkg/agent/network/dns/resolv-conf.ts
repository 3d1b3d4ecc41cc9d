/** What `/etc/resolv.conf` says. */
export interface ResolverConfiguration {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** The last `search` (or `domain`) counts, as for every resolver; lines that mean nothing are passed over, as they are there. */
export function parseResolvConf(text: string): ResolverConfiguration {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && words[0] !== undefined) servers.push(words[0]);
    if (keyword === 'search') searches = words;
    if (keyword === 'domain' && words[0] !== undefined) searches = [words[0]];
    if (keyword === 'options') options = [...options, ...words];
  }
  return { servers, searches: searches.filter((domain) => domain !== '.'), options };
}
