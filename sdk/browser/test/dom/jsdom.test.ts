// @vitest-environment jsdom

import { suite } from "./elements.js";

suite();
