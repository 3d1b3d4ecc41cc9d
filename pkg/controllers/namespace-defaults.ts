/** What every namespace has from its first moment: the ServiceAccount `default`, and the ConfigMap by which pods trust the API server. */
import { configMaps, namespaces, serviceAccounts } from '#api/shapes/resources';
import { hasReason } from '#base/errors';
import { type Controller, type ControllerEnvironment, defineController, mapped, own, type ReconcileContext } from './controller.ts';
import { isBeingDeleted } from './owner.ts';

const accountName = 'default';
const certificateName = 'kube-root-ca.crt';

/** Has a definition of its own for each environment: the certificate is the cluster's. */
export const namespaceDefaults: Controller = {
  name: 'namespace-defaults',
  create: (environment: ControllerEnvironment) => {
    const { certificateAuthority } = environment;
    const controller = defineController({
      name: 'namespace-defaults',
      watches: () => [
        own(namespaces),
        mapped(serviceAccounts, ({ metadata }) => (metadata.name === accountName ? [metadata.namespace ?? ''] : [])),
        mapped(configMaps, ({ metadata }) => (metadata.name === certificateName ? [metadata.namespace ?? ''] : [])),
      ],
      reconcile: async (namespace, context) => {
        const object = context.store(namespaces).get(namespace);
        if (object === undefined || isBeingDeleted(object)) return undefined;
        await unlessForbidden(() => ensureAccount(namespace, context));
        if (certificateAuthority !== undefined) await unlessForbidden(() => ensureCertificate(namespace, certificateAuthority, context));
        return undefined;
      },
    });
    return controller.create(environment);
  },
};

async function ensureAccount(namespace: string, { client, store }: ReconcileContext): Promise<void> {
  if (store(serviceAccounts).get(`${namespace}/${accountName}`) !== undefined) return;
  await client.create(serviceAccounts, { metadata: { namespace, name: accountName } });
}

async function ensureCertificate(namespace: string, certificate: string, { client, store }: ReconcileContext): Promise<void> {
  const present = store(configMaps).get(`${namespace}/${certificateName}`);
  const data = { 'ca.crt': certificate };
  if (present === undefined) {
    const annotations = {
      'kubernetes.io/description': 'Contains a CA bundle that can be used to verify the API server, such as from within a pod.',
    };
    await client.create(configMaps, { metadata: { namespace, name: certificateName, annotations }, data });
  } else if (present.data?.['ca.crt'] !== certificate) {
    await client.update(configMaps, { ...present, data });
  }
}

/** Made by another meanwhile, or the namespace began to go: both are as good as done. */
async function unlessForbidden(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!hasReason(error, 'AlreadyExists') && !hasReason(error, 'Forbidden') && !hasReason(error, 'NotFound')) throw error;
  }
}
