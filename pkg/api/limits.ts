/** The largest body of a request, in bytes; as Kubernetes' API server has it. Clients check it too: a server that ends a long upload is heard by few. */
export const maximumBodyBytes = 3 * 1024 * 1024;
