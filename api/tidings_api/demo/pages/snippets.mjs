// The code to paste: a button to copy each snippet, and the command that sends the content of the form.

const TOKEN_SHOWN = 12;

const SEND = document.getElementById("snippet-send");
/** The copied text of a snippet that shows only a part of it. */
const whole = new WeakMap();

for (const code of document.querySelectorAll(".snippet code[id]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(whole.get(code) ?? code.textContent);
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 1500);
  });
  code.closest(".snippet").append(button);
}

/**
 * Shows how to send this from a terminal.
 * @param {string} api
 * @param {string} token
 * @param {object} notification
 */
export function showCommand(api, token, notification) {
  const json = JSON.stringify(notification).replaceAll("'", "'\\''");
  const command = (secret) =>
    [
      `curl ${api}/v1/notifications`,
      `  -H 'Authorization: Bearer ${secret}'`,
      "  -H 'Content-Type: application/json'",
      `  -d '${json}'`,
    ].join(" \\\n");
  SEND.textContent = command(`${token.slice(0, TOKEN_SHOWN)}…`);
  whole.set(SEND, command(token));
}
