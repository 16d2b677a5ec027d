import type { CustomElementDeclaration, JavaScriptModule, Package } from "custom-elements-manifest";

/** The manifest has one module, and all its declarations are elements. */
export function manifest(): Promise<
  Package & {
    modules: [JavaScriptModule & { declarations: CustomElementDeclaration[] }];
  }
>;
