/** Options of a test with a time limit: the best of three runs counts, since other load only makes a run slower. */
export const BEST = { retry: 2 };
