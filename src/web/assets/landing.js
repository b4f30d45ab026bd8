// The landing page's life: tabs, copying, the token in the snippets, and the figures of now.
// Without it the page says all the same.

import { offerCopies } from "./landing/copy.js";
import { followFigures } from "./landing/figures.js";
import { makeTabs } from "./landing/tabs.js";
import { fillTokens } from "./landing/token.js";

makeTabs();
offerCopies();
fillTokens();
followFigures();
