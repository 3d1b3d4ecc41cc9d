import { eviction } from './eviction.ts';
import type { SubresourceHandler } from './handler.ts';

/** Actions that need more than their kind's definition says. */
export const subresourceHandlers: readonly SubresourceHandler[] = [eviction];
