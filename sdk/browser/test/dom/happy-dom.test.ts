// @vitest-environment happy-dom

import { suite } from "./elements.js";

suite();
