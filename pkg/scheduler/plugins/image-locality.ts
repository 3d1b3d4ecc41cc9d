import { fullImageName } from '#api/image-name';
import type { Plugin } from '../framework.ts';

/** Prefers nodes that have the pod's images already, as far as they report them: without a registry, an image is where it was loaded. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  prepare: (shape, snapshot) => {
    const wanted = shape.images.filter((image) => image !== '').map(fullImageName);
    if (wanted.length === 0) return undefined;
    return {
      score: (slot) => {
        let present = 0;
        for (const image of wanted) if (snapshot.hasImage(slot, image)) present++;
        return (100 * present) / wanted.length;
      },
    };
  },
};
