/** What kubectl says of the API, the user and the objects. */
import { readFileSync } from 'node:fs';
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

  prints('api-versions', 'every group and version', /^apps\/v1$[\s\S]*^batch\/v1$[\s\S]*^compose\.berth\.dev\/v1alpha1$[\s\S]*^v1$/m),
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
  prints('auth can-i create pods', '`yes`', /^yes$/m),
  prints('auth can-i --list', 'what the user may do', /\*\.\* +\[\] +\[\] +\[\*\]/),
  prints('auth whoami', 'the name and groups of the user', /Username +berth-admin[\s\S]*system:masters/),

  prints('top nodes', 'CPU and memory of each node', /^NAME +CPU\(cores\).*\n\S+ +\d+m +\d+%/),
  prints('top pods', 'CPU and memory of each pod', /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\n(.*\n)*solo +\d+m +\d+Mi/),
  prints('top pod solo --containers', 'of each container', /^POD +NAME +CPU\(cores\).*\nsolo +main +\d+m +\d+Mi/),

  prints('get --raw /readyz', 'the answer as it is', /^ok$/),
  prints('get pods --field-selector metadata.name=solo -o name', 'the pod of that name alone', /^pod\/solo\n$/),
  prints('get pods --field-selector status.phase!=Running -o name', 'none', /^$/),
  prints('get pods --sort-by=.metadata.name -o name', 'in order', /^pod\/solo\npod\/web-[^\n]+\n/),
  prints(
    'get pod solo -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image',
    'a table of those fields',
    /^NAME +IMAGE\nsolo +berth\.local\/hello:1\n$/,
  ),
  prints("get pod solo -o 'go-template={{.metadata.name}} on {{.spec.nodeName}}'", 'the template filled in', /^solo on \S+$/),
];
