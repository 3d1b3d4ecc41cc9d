/** The one source of a PersistentVolume: its defaults, and its rules in Kubernetes' order and words. */
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain } from '../names.ts';
import { hostPathTypes, requireName, requireOneOf } from '../pod-spec/checks.ts';
import type { AzureDiskVolumeSource, ISCSIPersistentVolumeSource, PersistentVolumeSpec, SecretReference } from '../shapes/types/core-v1.ts';
import { validateDriverName } from './driver-name.ts';

const ofByte = 'must be between 0 and 255, inclusive';
const mostInitiated = 64;
const longestTenant = 64;
const initiators: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.[A-Za-z0-9.-]+:[^,;*&$|\s]+$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
};

type Source = (spec: PersistentVolumeSpec, path: string, errors: FieldErrors, volume: string) => void;

/** In the order in which they are looked for: the first counts. */
const sources = {
  hostPath: ({ hostPath }, path, errors) => {
    if (hostPath === undefined) return;
    if (hostPath.path === '') {
      errors.required(`${path}.path`);
      return;
    }
    requireNoSteps(hostPath.path, `${path}.path`, errors);
    requireOneOf(hostPath.type, `${path}.type`, hostPathTypes, errors);
  },
  gcePersistentDisk: ({ gcePersistentDisk: disk }, path, errors) => {
    const at = path.replace(/gcePersistentDisk$/, 'persistentDisk');
    requireName(disk?.pdName, `${at}.pdName`, errors);
    validatePartition(disk?.partition, `${at}.partition`, errors);
  },
  awsElasticBlockStore: ({ awsElasticBlockStore: disk }, path, errors) => {
    requireName(disk?.volumeID, `${path}.volumeID`, errors);
    validatePartition(disk?.partition, `${path}.partition`, errors);
  },
  glusterfs: ({ glusterfs }, path, errors) => {
    requireName(glusterfs?.endpoints, `${path}.endpoints`, errors);
    requireName(glusterfs?.path, `${path}.path`, errors);
    const namespace = glusterfs?.endpointsNamespace;
    if (namespace === undefined) return;
    const at = `${path}.endpointsNamespace`;
    if (namespace === '') errors.invalid(at, namespace, 'if the endpointnamespace is set, it must be a valid namespace name');
    else for (const fault of checkDns1123Label(namespace)) errors.invalid(at, namespace, fault);
  },
  flocker: ({ flocker }, path, errors) => {
    const { datasetName = '', datasetUUID = '' } = flocker ?? {};
    if (datasetName === '' && datasetUUID === '') errors.required(path, 'one of datasetName and datasetUUID is required');
    if (datasetName !== '' && datasetUUID !== '') {
      errors.invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously');
    }
    if (datasetName.includes('/')) errors.invalid(`${path}.datasetName`, datasetName, "must not contain '/'");
  },
  nfs: ({ nfs }, path, errors) => {
    const { server = '', path: folder = '' } = nfs ?? {};
    requireName(server, `${path}.server`, errors);
    requireName(folder, `${path}.path`, errors);
    if (!folder.startsWith('/')) errors.invalid(`${path}.path`, folder, 'must be an absolute path');
  },
  rbd: ({ rbd }, path, errors) => {
    if ((rbd?.monitors ?? []).length === 0) errors.required(`${path}.monitors`);
    requireName(rbd?.image, `${path}.image`, errors);
  },
  quobyte: ({ quobyte }, path, errors) => {
    const { registry = '', tenant = '', volume = '' } = quobyte ?? {};
    const rule = 'must be a host:port pair or multiple pairs separated by commas';
    if (registry === '') errors.required(`${path}.registry`, rule);
    else if (tenant.length > longestTenant) {
      errors.required(`${path}.tenant`, `must be a UUID and may not exceed a length of ${longestTenant} characters`);
    } else if (!registry.split(',').every((pair) => /^(?:[^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(pair))) {
      errors.invalid(`${path}.registry`, registry, rule);
    }
    requireName(volume, `${path}.volume`, errors);
  },
  cephfs: ({ cephfs }, path, errors) => {
    if ((cephfs?.monitors ?? []).length === 0) errors.required(`${path}.monitors`);
  },
  iscsi: ({ iscsi }, path, errors, volume) => {
    if (iscsi !== undefined) validateIscsi(iscsi, path, errors, volume);
  },
  cinder: ({ cinder }, path, errors) => {
    requireName(cinder?.volumeID, `${path}.volumeID`, errors);
    requireSecret(cinder?.secretRef, `${path}.secretRef`, errors);
  },
  fc: ({ fc }, path, errors) => {
    const { targetWWNs = [], wwids = [], lun } = fc ?? {};
    const at = `${path}.targetWWNs`;
    if (targetWWNs.length === 0 && wwids.length === 0) errors.required(at, 'must specify either targetWWNs or wwids, but not both');
    if (targetWWNs.length === 0) return;
    if (wwids.length > 0) errors.invalid(at, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously');
    if (lun === undefined) errors.required(`${path}.lun`, 'lun is required if targetWWNs is specified');
    else if (lun < 0 || lun > 255) errors.invalid(`${path}.lun`, lun, ofByte);
  },
  flexVolume: ({ flexVolume }, path, errors) => {
    requireName(flexVolume?.driver, `${path}.driver`, errors);
    for (const key of Object.keys(flexVolume?.options ?? {})) {
      const [namespace = ''] = key.split('/', 1);
      if (/\.(?:kubernetes|k8s)\.io$/.test(`.${namespace.toLowerCase()}`)) {
        errors.invalid(`${path}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved');
      }
    }
  },
  azureFile: ({ azureFile }, path, errors) => {
    requireName(azureFile?.secretName, `${path}.secretName`, errors);
    requireName(azureFile?.shareName, `${path}.shareName`, errors);
    if (azureFile?.secretNamespace === '') errors.required(`${path}.secretNamespace`);
  },
  vsphereVolume: ({ vsphereVolume }, path, errors) => requireName(vsphereVolume?.volumePath, `${path}.volumePath`, errors),
  photonPersistentDisk: ({ photonPersistentDisk }, path, errors) => requireName(photonPersistentDisk?.pdID, `${path}.pdID`, errors),
  portworxVolume: ({ portworxVolume }, path, errors) => requireName(portworxVolume?.volumeID, `${path}.volumeID`, errors),
  azureDisk: ({ azureDisk }, path, errors) => {
    if (azureDisk !== undefined) validateAzureDisk(azureDisk, path, errors);
  },
  scaleIO: ({ scaleIO }, path, errors) => {
    for (const field of ['gateway', 'system', 'volumeName'] as const) requireName(scaleIO?.[field], `${path}.${field}`, errors);
  },
  local: ({ local, nodeAffinity }, path, errors) => {
    requireName(local?.path, `${path}.path`, errors);
    requireNoSteps(local?.path ?? '', `${path}.path`, errors);
    if (nodeAffinity === undefined) errors.required(path.replace(/local$/, 'nodeAffinity'), 'Local volume requires node affinity');
  },
  storageos: ({ storageos }, path, errors) => {
    const { volumeName = '', volumeNamespace = '', secretRef } = storageos ?? {};
    if (volumeName === '') errors.required(`${path}.volumeName`);
    else for (const fault of checkDns1123Label(volumeName)) errors.invalid(`${path}.volumeName`, volumeName, fault);
    if (volumeNamespace !== '') {
      for (const fault of checkDns1123Label(volumeNamespace)) errors.invalid(`${path}.volumeNamespace`, volumeNamespace, fault);
    }
    requireSecret(secretRef, `${path}.secretRef`, errors);
  },
  csi: ({ csi }, path, errors) => {
    validateDriverName(csi?.driver ?? '', `${path}.driver`, errors);
    requireName(csi?.volumeHandle, `${path}.volumeHandle`, errors);
    const secrets = ['controllerPublishSecretRef', 'controllerExpandSecretRef', 'nodePublishSecretRef', 'nodeExpandSecretRef'] as const;
    for (const field of secrets) validateSecret(csi?.[field], `${path}.${field}`, errors);
  },
} satisfies Partial<Record<keyof PersistentVolumeSpec, Source>>;

/** `volume`: its name. */
export function validatePersistentSource(spec: PersistentVolumeSpec, path: string, volume: string, errors: FieldErrors): void {
  const [first, ...more] = Object.entries<Source>(sources).filter(([name]) => Object.hasOwn(spec, name));
  if (first === undefined) errors.required(path, 'must specify a volume type');
  else first[1](spec, `${path}.${first[0]}`, errors, volume);
  for (const [name] of more) errors.forbidden(`${path}.${name}`, 'may not specify more than 1 volume type');
}

export function defaultPersistentSource({ hostPath, rbd, iscsi, azureDisk, scaleIO }: PersistentVolumeSpec): void {
  if (hostPath !== undefined) hostPath.type ??= '';
  if (rbd !== undefined) {
    rbd.pool ||= 'rbd';
    rbd.user ||= 'admin';
    rbd.keyring ||= '/etc/ceph/keyring';
  }
  if (iscsi !== undefined) iscsi.iscsiInterface ||= 'default';
  if (azureDisk !== undefined) {
    azureDisk.cachingMode ??= 'ReadWrite';
    azureDisk.kind ??= 'Shared';
    azureDisk.fsType ??= 'ext4';
    azureDisk.readOnly ??= false;
  }
  if (scaleIO !== undefined) {
    scaleIO.storageMode ||= 'ThinProvisioned';
    scaleIO.fsType ||= 'xfs';
  }
}

function requireNoSteps(value: string, path: string, errors: FieldErrors): void {
  if (value.split('/').includes('..')) errors.invalid(path, value, "must not contain '..'");
}

function validatePartition(partition: number | undefined, path: string, errors: FieldErrors): void {
  if (partition !== undefined && (partition < 0 || partition > 255))
    errors.invalid(path, partition, 'must be between 1 and 255, inclusive');
}

function requireSecret(secret: SecretReference | undefined, path: string, errors: FieldErrors): void {
  if (secret === undefined) return;
  requireName(secret.name, `${path}.name`, errors);
  requireName(secret.namespace, `${path}.namespace`, errors);
}

function validateSecret(secret: SecretReference | undefined, path: string, errors: FieldErrors): void {
  if (secret === undefined) return;
  const { name = '', namespace = '' } = secret;
  if (name === '') errors.required(`${path}.name`);
  else for (const fault of checkDns1123Subdomain(name)) errors.invalid(`${path}.name`, name, fault);
  if (namespace === '') errors.required(`${path}.namespace`);
  else for (const fault of checkDns1123Label(namespace)) errors.invalid(`${path}.namespace`, namespace, fault);
}

function isInitiator(name: string): boolean {
  return name.length <= 1024 && initiators[name.slice(0, 3)]?.test(name) === true;
}

function validateIscsi(
  { targetPortal, iqn, lun, initiatorName, secretRef, ...source }: ISCSIPersistentVolumeSource,
  path: string,
  errors: FieldErrors,
  volume: string,
): void {
  requireName(targetPortal, `${path}.targetPortal`, errors);
  if (initiatorName !== undefined && `${volume}:${targetPortal}`.length > mostInitiated) {
    const rule = `Total length of <volume name>:<iscsi.targetPortal> must be under ${mostInitiated} characters if iscsi.initiatorName is specified.`;
    errors.invalid(`${path}.targetportal`, targetPortal, rule);
  }
  if (iqn === '') errors.required(`${path}.iqn`);
  else if (!isInitiator(iqn)) errors.invalid(`${path}.iqn`, iqn, 'must be valid format');
  if (lun < 0 || lun > 255) errors.invalid(`${path}.lun`, lun, ofByte);
  const isAuthenticated = source.chapAuthDiscovery === true || source.chapAuthSession === true;
  if (secretRef !== undefined) requireName(secretRef.name, `${path}.secretRef.name`, errors);
  else if (isAuthenticated) errors.required(`${path}.secretRef`);
  if (initiatorName !== undefined && !isInitiator(initiatorName)) {
    errors.invalid(`${path}.initiatorname`, initiatorName, 'must be valid format');
  }
}

function validateAzureDisk({ diskName, diskURI, cachingMode, kind }: AzureDiskVolumeSource, path: string, errors: FieldErrors): void {
  requireName(diskName, `${path}.diskName`, errors);
  requireName(diskURI, `${path}.diskURI`, errors);
  requireOneOf(cachingMode, `${path}.cachingMode`, ['None', 'ReadOnly', 'ReadWrite'], errors);
  requireOneOf(kind, `${path}.kind`, ['Dedicated', 'Managed', 'Shared'], errors);
  const forms = {
    managed: '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}',
    blob: 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd',
  };
  if (kind === 'Managed') {
    if (!diskURI.startsWith('/subscriptions/')) errors.notSupported(`${path}.diskURI`, diskURI, [forms.managed]);
  } else if (kind !== undefined && !diskURI.startsWith('https://')) errors.notSupported(`${path}.diskURI`, diskURI, [forms.blob]);
}
