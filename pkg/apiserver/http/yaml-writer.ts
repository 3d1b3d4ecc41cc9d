/** Writes plain data as YAML, with nothing said by reference. The library is loaded when first used. */
export async function yamlWriter(): Promise<(data: object) => string> {
  const { stringify } = await import('yaml');
  return (data) => stringify(data, { aliasDuplicateObjects: false });
}
