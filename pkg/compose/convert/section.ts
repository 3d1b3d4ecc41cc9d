/**
 * From one service of the model to the objects that stand for it. Each section of a service is a file that reads its keys and adds to one draft;
 * index.ts lists them. Pure; throws ComposeError with the path for what it cannot do.
 */
import type { Container, Service as KubernetesService, PersistentVolumeClaim, PodSpec } from '#api/shapes/types/core-v1';
import type { ComposeProject, Service } from '../model.ts';

export interface ServiceContext {
  /** The Stack's name. */
  readonly stack: string;
  readonly namespace: string;
  readonly project: ComposeProject;
  /** The service's name in the file. */
  readonly name: string;
  readonly service: Service;
  /** `services.web`, for messages. */
  readonly path: string;
}

export type ServiceObject = Omit<KubernetesService, 'apiVersion' | 'kind'>;
export type ClaimObject = Omit<PersistentVolumeClaim, 'apiVersion' | 'kind'>;

/** What sections add to. The pod has one container. */
export interface ServiceDraft {
  readonly podLabels: Record<string, string>;
  readonly podAnnotations: Record<string, string>;
  readonly pod: PodSpec;
  readonly container: Container;
  /** By name. */
  readonly services: Map<string, ServiceObject>;
  readonly claims: Map<string, ClaimObject>;
}

export interface Section {
  readonly name: string;
  /** The keys of a service that it reads, as in the table of keys (`deploy.resources`). */
  readonly keys: readonly string[];
  apply(context: ServiceContext, draft: ServiceDraft): void;
}

/** Text that Kubernetes would expand (`$(NAME)`, `$$`), written so that it stays as it is. */
export function literal(text: string): string {
  return text.replaceAll(/\$(?=[$(])/g, () => '$$');
}
