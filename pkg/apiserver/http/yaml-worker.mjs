/**
 * The thread that reads YAML bodies: the library takes a hundred times as long as JSON's, and some short texts make it take seconds, or all the memory
 * that it can have. Here that ends a thread, and keeps nobody waiting but its sender. What it sends back is JSON text.
 */
import { parentPort } from 'node:worker_threads';
import { Composer, Parser } from 'yaml';
import { checkNesting } from '../../base/yaml-nesting.mjs';

/** @import { YamlReply, YamlRequest } from './yaml-thread.ts' */

const maximumDepth = 100;
const maximumDuplicates = 100;
const maximumFaults = 100;

/** @param {string} source @returns {YamlReply} */
function read(source) {
  const tokens = [];
  let faults = 0;
  for (const token of new Parser().parse(source)) {
    checkNesting(token, maximumDepth);
    tokens.push(token);
    if (token.type === 'error' && ++faults > maximumFaults) break;
  }
  const composer = new Composer({
    version: '1.1',
    // The library compares each key with all before it.
    uniqueKeys: false,
    // What is odd about a body is its sender's to hear, not this process's log.
    logLevel: 'error',
    customTags: (tags) => tags.filter((tag) => !(typeof tag === 'object' && tag.tag === 'tag:yaml.org,2002:timestamp')),
  });
  const documents = [...composer.compose(tokens)];
  const [document] = documents;
  if (document === undefined || documents.length > 1) {
    return { refusal: `the YAML body must hold one document, but holds ${documents.length}` };
  }
  const [error] = document.errors;
  if (error !== undefined) return { refusal: `yaml parse error: ${error.message}` };
  // Shared by aliases or not: as JSON each stands for itself.
  const json = JSON.stringify(document.toJS({ maxAliasCount: 100 }), asJson) ?? 'null';
  return { json, duplicates: duplicateKeys(document.contents, source) };
}

/** @this {Record<string, unknown>} @param {string} key @param {unknown} value @returns {unknown} */
function asJson(key, value) {
  const given = this[key];
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`${key}: ${value} is no JSON number`);
  if (ArrayBuffer.isView(given)) throw new Error(`${key}: the tag !!binary stands for no JSON value: give the bytes as a string in base64`);
  if (value instanceof Set || value instanceof Map) throw new Error(`${key}: the tags !!set and !!omap stand for no JSON value`);
  return value;
}

/** The lines of keys that stood before in their mapping. @param {unknown} root @param {string} source @returns {string[]} */
function duplicateKeys(root, source) {
  /** @type {string[]} */
  const found = [];
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const items = node?.items;
    if (items === undefined) continue;
    const keys = new Set();
    for (const item of items) {
      const { key, value } = item ?? {};
      open.push(item, value);
      const name = key?.value;
      if (name === undefined || name === '<<' || found.length >= maximumDuplicates) continue;
      if (keys.has(name)) found.push(`line ${source.slice(0, key?.range?.[0] ?? 0).split('\n').length}`);
      keys.add(name);
    }
  }
  return found;
}

parentPort?.on('message', (/** @type {YamlRequest} */ { source }) => {
  /** @type {YamlReply} */
  let reply;
  try {
    reply = read(source);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const why = error instanceof Error && error.name === 'YamlNestingError' ? `it is ${message}` : message;
    reply = { refusal: `the YAML body cannot be read: ${why}` };
  }
  parentPort?.postMessage(reply, []);
});
