// The two windows: their order on a phone, the look of Bob's app, and the news from inside them.

export const NAMES = { ana: "Ana", bob: "Bob" };
/** In a narrower window the panel would cover its page. */
const PANEL_FITS = 560;

const STAGE = document.querySelector(".stage");
const frame = (user) => STAGE.querySelector(`[data-of="${user}"] iframe`);

/** Loads the pages of both users. Ana's panel opens where it has room. */
export function openWindows() {
  for (const user of Object.keys(NAMES)) {
    const { dataset, clientWidth } = frame(user);
    frame(user).src = `${dataset.src}${user === "ana" && clientWidth >= PANEL_FITS ? "#open" : ""}`;
  }
}

/**
 * Calls `on` with each message from the page of a user.
 * @param {(news: Record<string, string>) => void} on
 */
export function listen(on) {
  addEventListener("message", ({ origin, data }) => {
    if (origin !== location.origin || !(data.user in NAMES)) return;
    if (data.status) showStatus(data.user, data.status);
    on(data);
  });
}

function showStatus(user, status) {
  const shown = STAGE.querySelector(`.state[data-user="${user}"]`);
  shown.textContent = status === "connected" ? "live" : status;
  shown.className = `state ${status}`;
}

document.getElementById("themes").addEventListener("change", ({ target }) => {
  const open = frame("bob").clientWidth >= PANEL_FITS ? "#open" : "";
  frame("bob").src = `/demo/users/bob?theme=${target.value}${open}`;
});

for (const button of STAGE.querySelectorAll(".switch button"))
  button.addEventListener("click", () => {
    STAGE.dataset.shown = button.dataset.window;
    for (const each of STAGE.querySelectorAll(".switch button")) each.ariaPressed = String(each === button);
  });
