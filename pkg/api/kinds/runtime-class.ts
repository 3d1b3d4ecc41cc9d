import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label } from '../names.ts';
import { requireUnchanged, validateLabels } from '../object-meta.ts';
import { validateResources } from '../pod-spec/resources.ts';
import { validateTolerations } from '../pod-spec/scheduling.ts';
import type { RuntimeClass } from '../shapes/types/node-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

export const runtimeClass = defineKind<RuntimeClass>({
  group: 'node.k8s.io',
  kind: 'RuntimeClass',
  description: 'A way of running containers.',
  support: 'stored only',
  supportNote: 'nodes have one runtime: pods that name a class are refused',
  validate: ({ handler, overhead, scheduling }) => {
    const errors = new FieldErrors();
    for (const fault of checkDns1123Label(handler)) errors.invalid('handler', handler, fault);
    if (overhead !== undefined) validateResources({ limits: overhead.podFixed ?? {} }, 'overhead', errors);
    validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector', errors);
    const tolerations = scheduling?.tolerations ?? [];
    validateTolerations(tolerations, 'scheduling.tolerations.tolerations', errors);
    const seen = new Set<string>();
    for (const [index, toleration] of tolerations.entries()) {
      const { key = '', operator = '', value = '', effect = '' } = toleration;
      const identity = JSON.stringify([key, operator, value, effect]);
      if (seen.has(identity)) errors.duplicate(`scheduling.tolerations[${index}]`, toleration);
      seen.add(identity);
    }
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(object.handler === old.handler, 'handler', object.handler, errors);
    return errors;
  },
  columns: tableColumns<RuntimeClass>([
    nameColumn,
    { name: 'Handler', type: 'string', description: 'What the runtime calls it.', cell: ({ handler }) => handler },
    ageColumn,
  ]),
});
