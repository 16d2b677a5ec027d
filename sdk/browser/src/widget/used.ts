/** How an action that was used shows. */

import type { Item } from "../client/types.js";
import { h, icon, READ } from "./dom.js";
import type { Localizer } from "./localizer.js";

/** Shows the action that was used, and removes the others. Its link still works. `box` has a control per action. */
export function showUsed(box: HTMLElement, item: Item, id: string, localizer: Localizer): void {
  for (const [index, control] of [...box.children].entries()) {
    if (item.notification.actions?.[index]?.id !== id) control.remove();
    else {
      control.setAttribute("part", "action used");
      control.classList.add("used");
      control.prepend(icon(READ), h("span", { class: "spoken" }, `${localizer.text("done")}: `));
      control.toggleAttribute("disabled", control.matches("button"));
    }
  }
}
