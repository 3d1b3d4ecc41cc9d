import type { DecodeOptions } from '#api/schema/decode';
import type { WriteOptions } from '#client/transport';

/** How strictly a body is read. Unlike over HTTP, where `Warn` is the default, nothing is said unless it was asked for. */
export function decodeOptionsOf(options: WriteOptions): DecodeOptions {
  return options.fieldValidation === undefined ? {} : { fieldValidation: options.fieldValidation };
}
