/** What kubectl says of the API and the objects. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { prints, type Row } from './bench.ts';

export const readRows: readonly Row[] = [
  prints(
    'explain deployments',
    'group, kind, version, what it is, and fields',
    /KIND: +Deployment[\s\S]*Keeps pods of a template running[\s\S]*FIELDS:[\s\S]*spec\s+<DeploymentSpec>/,
  ),
  prints('explain pod.spec.containers.image', 'type and description of one field', /FIELD: +image <string>[\s\S]*What to run/),
  prints(
    'explain service.spec',
    'a field, its type, and the fields inside',
    /FIELD: +spec <ServiceSpec>[\s\S]*What is wanted[\s\S]*clusterIP/,
  ),
  prints('explain stack', "the fields of Berth's own kind", /KIND: +Stack[\s\S]*spec\s+<StackSpec>/),
  prints('explain job.spec --recursive', 'all fields below', /backoffLimit\s+<integer>[\s\S]*containers\s+<\[\]Container>/),
  prints('explain hpa --api-version=autoscaling/v1', 'that version of it', /VERSION: +(autoscaling\/)?v1\n/),
  prints('explain cronjob.spec.schedule --output=plaintext-openapiv2', 'the same from the older document', /FIELD: +schedule <string>/),

  prints('api-versions', 'every group and version', /^apps\/v1$[\s\S]*^batch\/v1$[\s\S]*^compose\.berth\.dev\/v1alpha1$[\s\S]*^v1$/m),
  prints('api-resources --namespaced=false --verbs=list -o name', 'what has no namespace', /^namespaces\nnodes\n/m),
  prints('version -o json', 'both versions', /"serverVersion": \{[\s\S]*"gitVersion": "v1\.\d+/),
  {
    command: 'completion bash, __complete get pod NAM',
    does: 'the script, and the names that it asks for',
    check: async ({ kubectl, namespace }) => {
      expect(await kubectl.succeed('completion', 'bash')).toMatch(/__start_kubectl/);
      expect(await kubectl.succeed('__complete', '-n', namespace, 'get', 'pod', 'so')).toMatch(/^solo\n/);
    },
  },
  prints('cluster-info', 'where the API server is', /control plane.* is running at .*https:\/\/127\.0\.0\.1:\d+/),
  {
    command: 'cluster-info dump --output-directory=DIR',
    does: 'writes nodes, pods, events and logs as files',
    check: async ({ run, folder, namespace }) => {
      const directory = join(folder, 'dump');
      await run('cluster-info', 'dump', `--output-directory=${directory}`, `--namespaces=${namespace}`);
      expect(readFileSync(join(directory, 'nodes.json'), 'utf8')).toMatch(/"kind": "NodeList"/);
      expect(readFileSync(join(directory, namespace, 'pods.json'), 'utf8')).toMatch(/"name": "solo"/);
    },
  },
  prints('top nodes', 'CPU and memory of each node', /^NAME +CPU\(cores\).*\n\S+ +\d+m +\d+%/, { patient: true }),
  prints('top pods', 'CPU and memory of each pod', /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\n(.*\n)*solo +\d+m +\d+Mi/, { patient: true }),
  prints('top pod solo --containers', 'of each container', /^POD +NAME +CPU\(cores\).*\nsolo +main +\d+m +\d+Mi/, { patient: true }),
  prints('top pods -l app=solo --sort-by=memory --sum', 'of those pods, and of all together', /solo +\d+m +\d+Mi *\n[_ ]+\n +\d+m +\d+Mi/),

  prints('events --for pod/solo', 'what happened to the pod', /Normal +Started +Pod\/solo/),
  prints(
    'describe all,configmaps,serviceaccounts',
    'all of them',
    /Name: +solo[\s\S]*Name: +web[\s\S]*Name: +kube-root-ca\.crt[\s\S]*Name: +default/,
  ),
  prints('get all', 'what runs, kind by kind', /^pod\/solo [\s\S]*^deployment\.apps\/web [\s\S]*^replicaset\.apps\/web-/m),
  prints('get pods --show-labels -L app', 'with the labels', /^solo .* solo +app=solo$/m),
  prints('get pods --chunk-size=1 -o name', 'page by page, all', /^pod\/solo\npod\/web-\S+\n$/),
  prints('get pods,deployments -o name', 'of several kinds', /^pod\/solo\n[\s\S]*deployment\.apps\/web\n/),
  prints('get pod none --ignore-not-found', 'nothing', /^$/),
  prints("get --raw '/api/v1/namespaces?limit=1'", 'the answer as it is', /^\{"kind":"NamespaceList","apiVersion":"v1",.*"continue":/),
  prints('get --raw /readyz', 'the answer as it is', /^ok$/),
  prints('get pods --field-selector metadata.name=solo -o name', 'the pod of that name alone', /^pod\/solo\n$/),
  prints('get pods --field-selector status.phase!=Running -o name', 'none', /^$/),
  prints('get pods --sort-by=.metadata.name -o name', 'in order', /^pod\/solo\npod\/web-[^\n]+\n/),
  prints(
    'get pod solo -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image',
    'a table of those fields',
    /^NAME +IMAGE\nsolo +berth\.local\/hello:1\n$/,
  ),
  {
    command: 'get -o jsonpath-file|go-template-file|custom-columns-file=FILE',
    does: 'the same from files',
    check: async ({ run, folder }) => {
      for (const [format, template, printed] of [
        ['jsonpath-file', '{.metadata.name}', 'solo'],
        ['go-template-file', '{{.metadata.name}}!', 'solo!'],
        ['custom-columns-file', 'WHO\n.metadata.name', 'WHO\nsolo\n'],
      ] as const) {
        const path = join(folder, format);
        writeFileSync(path, template);
        expect(await run('get', 'pod', 'solo', '-o', `${format}=${path}`)).toBe(printed);
      }
    },
  },
  prints("get pod solo -o 'go-template={{.metadata.name}} on {{.spec.nodeName}}'", 'the template filled in', /^solo on \S+$/),
];
