import { expect, test } from '@jest/globals';
import { served } from './testing.ts';

/** What `kubectl get` shows of each kind, in Kubernetes' order; a star: with `-o wide` alone. */
const columns: Readonly<Record<string, string>> = {
  pods: 'NAME READY STATUS RESTARTS AGE IP* NODE* NOMINATED_NODE* READINESS_GATES*',
  podtemplates: 'NAME CONTAINERS IMAGES POD_LABELS',
  poddisruptionbudgets: 'NAME MIN_AVAILABLE MAX_UNAVAILABLE ALLOWED_DISRUPTIONS AGE',
  replicationcontrollers: 'NAME DESIRED CURRENT READY AGE CONTAINERS* IMAGES* SELECTOR*',
  replicasets: 'NAME DESIRED CURRENT READY AGE CONTAINERS* IMAGES* SELECTOR*',
  daemonsets: 'NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE_SELECTOR AGE CONTAINERS* IMAGES* SELECTOR*',
  jobs: 'NAME STATUS COMPLETIONS DURATION AGE CONTAINERS* IMAGES* SELECTOR*',
  cronjobs: 'NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST_SCHEDULE AGE CONTAINERS* IMAGES* SELECTOR*',
  services: 'NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR*',
  ingresses: 'NAME CLASS HOSTS ADDRESS PORTS AGE',
  ingressclasses: 'NAME CONTROLLER PARAMETERS AGE',
  statefulsets: 'NAME READY AGE CONTAINERS* IMAGES*',
  endpoints: 'NAME ENDPOINTS AGE',
  nodes: 'NAME STATUS ROLES AGE VERSION INTERNAL-IP* EXTERNAL-IP* OS-IMAGE* KERNEL-VERSION* CONTAINER-RUNTIME*',
  events: 'LAST_SEEN TYPE REASON OBJECT SUBOBJECT* SOURCE* MESSAGE FIRST_SEEN* COUNT* NAME*',
  namespaces: 'NAME STATUS AGE',
  secrets: 'NAME TYPE DATA AGE',
  serviceaccounts: 'NAME SECRETS AGE',
  persistentvolumes: 'NAME CAPACITY ACCESS_MODES RECLAIM_POLICY STATUS CLAIM STORAGECLASS VOLUMEATTRIBUTESCLASS REASON AGE VOLUMEMODE*',
  persistentvolumeclaims: 'NAME STATUS VOLUME CAPACITY ACCESS_MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE VOLUMEMODE*',
  deployments: 'NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS* IMAGES* SELECTOR*',
  horizontalpodautoscalers: 'NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE',
  configmaps: 'NAME DATA AGE',
  limitranges: 'NAME CREATED_AT',
  roles: 'NAME CREATED_AT',
  clusterroles: 'NAME CREATED_AT',
  rolebindings: 'NAME ROLE AGE USERS* GROUPS* SERVICEACCOUNTS*',
  clusterrolebindings: 'NAME ROLE AGE USERS* GROUPS* SERVICEACCOUNTS*',
  certificatesigningrequests: 'NAME AGE SIGNERNAME REQUESTOR REQUESTEDDURATION CONDITION',
  leases: 'NAME HOLDER AGE',
  storageclasses: 'NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE',
  volumeattributesclasses: 'NAME DRIVERNAME AGE',
  controllerrevisions: 'NAME CONTROLLER REVISION AGE',
  resourcequotas: 'NAME REQUEST LIMIT AGE',
  priorityclasses: 'NAME VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY',
  runtimeclasses: 'NAME HANDLER AGE',
  volumeattachments: 'NAME ATTACHER PV NODE ATTACHED AGE',
  endpointslices: 'NAME ADDRESSTYPE PORTS ENDPOINTS AGE',
  csinodes: 'NAME DRIVERS AGE',
  csidrivers: 'NAME ATTACHREQUIRED PODINFOONMOUNT STORAGECAPACITY TOKENREQUESTS REQUIRESREPUBLISH MODES AGE',
  csistoragecapacities: 'NAME STORAGECLASSNAME CAPACITY',
  mutatingwebhookconfigurations: 'NAME WEBHOOKS AGE',
  validatingwebhookconfigurations: 'NAME WEBHOOKS AGE',
  flowschemas: 'NAME PRIORITYLEVEL MATCHINGPRECEDENCE DISTINGUISHERMETHOD AGE MISSINGPL',
  prioritylevelconfigurations: 'NAME TYPE NOMINALCONCURRENCYSHARES QUEUES HANDSIZE QUEUELENGTHLIMIT AGE',
  deviceclasses: 'NAME AGE',
  resourceclaims: 'NAME STATE AGE',
  resourceclaimtemplates: 'NAME AGE',
  resourceslices: 'NAME NODE DRIVER POOL AGE',
  servicecidrs: 'NAME CIDRS AGE',
  ipaddresses: 'NAME PARENTREF',
  networkpolicies: 'NAME POD-SELECTOR AGE',
};

test.each(Object.entries(columns))('%s', (plural, wanted) => {
  const { kind } = served(plural);
  const found = kind.columns.columns.map(
    ({ name, priority = 0 }) => `${name.toUpperCase().replaceAll(' ', '_')}${priority > 0 ? '*' : ''}`,
  );
  expect(found.join(' ')).toBe(wanted);
});
