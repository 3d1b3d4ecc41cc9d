/** The names of a stack's objects and the labels by which they are found. Fixed: what runs under them is adopted, never made anew. */
import { checkDns1123Label } from '#api/names';
import { ComposeError } from '../compose-error.ts';

export const stackLabel = 'compose.berth.dev/stack';
export const serviceLabel = 'compose.berth.dev/service';
/** Replicas are numbered from 1; a pod keeps its slot for life. */
export const slotLabel = 'compose.berth.dev/slot';
export const volumeLabel = 'compose.berth.dev/volume';
/** `config` or `secret`, on the ConfigMaps and Secrets of a stack. */
export const contentLabel = 'compose.berth.dev/content';
export const templateHashLabel = 'compose.berth.dev/template-hash';
/** JSON: full name of a network → the names that a Service answers to there. */
export const networkNamesAnnotation = 'berth.dev/network-names';
/** JSON: `8080/TCP` → the addresses of the node that the port is opened on; a port that is not there is opened on all. */
export const hostAddressesAnnotation = 'berth.dev/host-addresses';
/** The key under which a ConfigMap or Secret holds the content of a config or secret, also where it is external. */
export const contentKey = 'content';

/** A name as objects may have it: lower case, with "-" in place of "_" and ".". Throws ComposeError where that gives no DNS label. */
export function objectName(name: string, path: string): string {
  const result = name.toLowerCase().replaceAll(/[_.]/g, '-');
  const fault = checkDns1123Label(result)[0];
  if (fault !== undefined) throw new ComposeError(`the name "${name}" cannot be that of an object: ${fault}`, { path, next: 'rename it' });
  return result;
}

/** `hello-web`. The room that is left out of 63 characters is for `-published` and for slots. */
export function partName(stack: string, part: string, path: string): string {
  const name = `${stack}-${objectName(part, path)}`;
  if (name.length > 52) {
    throw new ComposeError(`the name "${name}" is longer than 52 characters`, {
      path,
      next: 'choose a shorter name, or a shorter project name with -p',
    });
  }
  return name;
}

export function podName(stack: string, service: string, slot: number): string {
  return `${partName(stack, service, `services.${service}`)}-${slot}`;
}

export function publishedName(stack: string, service: string): string {
  return `${partName(stack, service, `services.${service}`)}-published`;
}

/** The Service whose node ports stand for ports without a published one. */
export function nodePortName(stack: string, service: string): string {
  return `${partName(stack, service, `services.${service}`)}-nodeports`;
}

/** A network's name across namespaces and stacks: what pods and Services say they are on. */
export function networkFullName(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** The labels of everything that belongs to one service. */
export function serviceLabels(stack: string, service: string): Record<string, string> {
  return { [stackLabel]: stack, [serviceLabel]: service };
}
