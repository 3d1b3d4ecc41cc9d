/** Characters of JSON above which an object is written in that style: the library takes half a second for the largest objects. */
const blockStyleLimit = 32 * 1024;

/** Writes plain data as YAML, with nothing said by reference; what is large in YAML's flow style, which is JSON. The library is loaded when first used. */
export async function yamlWriter(): Promise<(data: object) => string> {
  const { stringify } = await import('yaml');
  return (data) => {
    const json = JSON.stringify(data, null, 2);
    return json.length > blockStyleLimit ? `${json}\n` : stringify(data, { aliasDuplicateObjects: false });
  };
}
