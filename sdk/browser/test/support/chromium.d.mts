export const COMMAND: string;
export const ARGUMENTS: string[];
export const OPTIONS: { executablePath: string; args: string[] };
