import { defaultWebhook, validateWebhooks } from '../admission-rules/webhooks.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import type { MutatingWebhookConfiguration } from '../shapes/types/admissionregistration-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

export const mutatingWebhookConfiguration = defineKind<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingWebhookConfiguration',
  description: 'Lets others change requests.',
  changesGeneration: (object, old) => !deepEqual(object.webhooks, old.webhooks),
  defaults: ({ webhooks = [] }) => {
    for (const webhook of webhooks) {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ??= 'Never';
    }
  },
  validate: ({ webhooks = [] }) => {
    const errors = new FieldErrors();
    validateWebhooks(webhooks, errors);
    return errors;
  },
  columns: tableColumns<MutatingWebhookConfiguration>([
    nameColumn,
    { name: 'Webhooks', type: 'integer', description: 'How many.', cell: ({ webhooks }) => webhooks?.length ?? 0 },
    ageColumn,
  ]),
});
