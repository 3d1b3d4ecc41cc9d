/** Defaults and rules that both sorts of webhooks share. */
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1035Label, checkDns1123Subdomain, checkPortNumber } from '../names.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import { validateLabelSelector } from '../pod-spec/workload.ts';
import type { MutatingWebhook, ValidatingWebhook, WebhookClientConfig } from '../shapes/types/admissionregistration-v1.ts';
import { validateMatchConditions, validateOperationRule } from './matching.ts';

const versions = ['v1', 'v1beta1'];

export function defaultWebhook(webhook: ValidatingWebhook): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  for (const rule of webhook.rules ?? []) rule.scope ??= '*';
  if (webhook.clientConfig.service !== undefined) webhook.clientConfig.service.port ??= 443;
}

export function validateWebhooks(webhooks: readonly (ValidatingWebhook | MutatingWebhook)[], errors: FieldErrors): void {
  const names = new Set<string>();
  for (const [index, webhook] of webhooks.entries()) {
    const path = `webhooks[${index}]`;
    if (webhook.name !== '' && names.has(webhook.name)) errors.duplicate(`${path}.name`, webhook.name);
    names.add(webhook.name);
    validateWebhook(webhook, path, errors);
    validateReviewVersions(webhook.admissionReviewVersions ?? [], `${path}.admissionReviewVersions`, errors);
  }
}

function validateWebhook(webhook: ValidatingWebhook | MutatingWebhook, path: string, errors: FieldErrors): void {
  validateQualifiedDomain(webhook.name, `${path}.name`, errors);
  if (webhook.namespaceSelector !== undefined) validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`, errors);
  if (webhook.objectSelector !== undefined) validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`, errors);
  for (const [index, rule] of (webhook.rules ?? []).entries()) validateOperationRule(rule, `${path}.rules[${index}]`, errors);
  requireOneOf(webhook.failurePolicy, `${path}.failurePolicy`, ['Fail', 'Ignore'], errors);
  requireOneOf(webhook.matchPolicy, `${path}.matchPolicy`, ['Equivalent', 'Exact'], errors);
  if ((webhook.sideEffects ?? '') === '') errors.required(`${path}.sideEffects`, 'must specify one of None, NoneOnDryRun');
  else requireOneOf(webhook.sideEffects, `${path}.sideEffects`, ['None', 'NoneOnDryRun'], errors);
  const { timeoutSeconds } = webhook;
  if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > 30)) {
    errors.invalid(`${path}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds');
  }
  if ('reinvocationPolicy' in webhook)
    requireOneOf(webhook.reinvocationPolicy, `${path}.reinvocationPolicy`, ['IfNeeded', 'Never'], errors);
  validateClientConfig(webhook.clientConfig, `${path}.clientConfig`, errors);
  validateMatchConditions(webhook.matchConditions ?? [], `${path}.matchConditions`, errors);
}

function validateQualifiedDomain(name: string, path: string, errors: FieldErrors): void {
  if (name === '') {
    errors.required(path);
    return;
  }
  const faults = checkDns1123Subdomain(name);
  for (const fault of faults) errors.invalid(path, name, fault);
  if (faults.length === 0 && name.split('.').length < 3) {
    errors.invalid(path, name, 'should be a domain with at least three segments separated by dots');
  }
}

function validateClientConfig({ url, service }: WebhookClientConfig, path: string, errors: FieldErrors): void {
  if ((url === undefined) === (service === undefined)) {
    errors.required(path, 'exactly one of url or service is required');
    return;
  }
  if (url !== undefined) validateUrl(url, `${path}.url`, errors);
  if (service === undefined) return;
  const at = `${path}.service`;
  if (service.name === '') errors.required(`${at}.name`, 'service name is required');
  if (service.namespace === '') errors.required(`${at}.namespace`, 'service namespace is required');
  for (const fault of checkPortNumber(service.port ?? 443)) {
    errors.invalid(`${at}.port`, service.port, `port is not valid: ${fault}`);
  }
  if (service.path !== undefined && service.path !== '' && !service.path.startsWith('/')) {
    errors.invalid(`${at}.path`, service.path, "must start with a '/'");
  }
}

const format = 'desired format: https://host[/path]';

function validateUrl(text: string, path: string, errors: FieldErrors): void {
  if (!URL.canParse(text)) {
    errors.required(path, `url must be a valid URL: ${JSON.stringify(text.slice(0, 200))}; ${format}`);
    return;
  }
  const url = new URL(text);
  if (url.protocol !== 'https:') {
    errors.invalid(path, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${format}`);
  }
  if (url.host === '') errors.invalid(path, url.host, `host must be specified; ${format}`);
  if (url.username !== '' || url.password !== '') errors.invalid(path, url.username, 'user information is not permitted in the URL');
  if (url.hash !== '') errors.invalid(path, url.hash.slice(1), 'fragments are not permitted in the URL');
  if (url.search !== '') errors.invalid(path, url.search.slice(1), 'query parameters are not permitted in the URL');
}

function validateReviewVersions(given: readonly string[], path: string, errors: FieldErrors): void {
  if (given.length === 0) {
    errors.required(path, `must specify one of ${versions.join(', ')}`);
    return;
  }
  const seen = new Set<string>();
  for (const [index, version] of given.entries()) {
    if (seen.has(version)) errors.invalid(`${path}[${index}]`, version, 'duplicate version');
    seen.add(version);
    for (const fault of checkDns1035Label(version)) errors.invalid(`${path}[${index}]`, version, fault);
  }
  if (!given.some((version) => versions.includes(version))) {
    errors.invalid(path, given, `must include at least one of ${versions.join(', ')}`);
  }
}
