import type { Pod } from '#api/shapes/types/core-v1';
import { nodeNameOf } from '../authorization/node-authorizer.ts';
import { type AdmissionStep, forbidden } from './admission.ts';

/** Whatever an authorizer may allow a node one day: of Nodes and pods it changes none but its own. */
export const nodeRestriction: AdmissionStep = {
  name: 'node-restriction',
  validate: (request) => {
    const node = nodeNameOf(request.context.user);
    if (node === undefined || request.resource.group !== '') return;
    const name = request.name ?? request.object.metadata.name ?? '';
    if (request.resource.plural === 'nodes' && name !== node) {
      throw forbidden(request, `node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(name)}`);
    }
    if (request.resource.plural === 'pods' && ((request.old ?? request.object) as Pod).spec.nodeName !== node) {
      throw forbidden(request, `node ${JSON.stringify(node)} can only modify pods with spec.nodeName set to itself`);
    }
  },
};
