/** Options of a test: of three times the best counts, since what else the machine does only makes it slower. */
export const BEST = { retry: 2 };
