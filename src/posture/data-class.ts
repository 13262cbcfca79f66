/** How bad it is when what a secret guards becomes known, in rising order. */
export const DATA_CLASSES = ['synthetic', 'public', 'internal', 'confidential', 'restricted'] as const;
export type DataClass = (typeof DATA_CLASSES)[number];
