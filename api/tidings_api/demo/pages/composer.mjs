// The form: its content as a notification, and examples to fill it with.

const TARGETS = {
  ana: { users: ["ana"] },
  bob: { users: ["bob"] },
  team: { groups: ["team"] },
  all: { all: true },
};

const EXAMPLES = {
  Parcel: {
    title: "On its way",
    body: "Parcel 4711 arrives tomorrow between 9 and 11.",
    category: "orders",
    button: "Track",
  },
  Comment: {
    title: "New comment on your report",
    body: "“Could you look at the figures before noon?”",
    category: "comments",
  },
  Deploy: {
    title: "Deploy finished",
    body: "Version 42 is live. All checks are green.",
    category: "deploys",
  },
  Alarm: {
    title: "Payments are failing",
    body: "Three of ten in the last minute. The team on call has been paged.",
    category: "alarms",
    urgent: true,
    button: "Open dashboard",
  },
};

const FORM = document.getElementById("composer");
const { to, title, body, urgent, buttons } = FORM.elements;
let category = "";
let button = "Open";

for (const [name, example] of Object.entries(EXAMPLES)) {
  const preset = document.createElement("button");
  preset.type = "button";
  preset.textContent = name;
  preset.addEventListener("click", () => fill(example));
  FORM.querySelector(".presets").append(preset);
}
fill(EXAMPLES.Parcel);

function fill(example) {
  title.value = example.title;
  body.value = example.body;
  urgent.checked = Boolean(example.urgent);
  buttons.checked = Boolean(example.button);
  button = example.button ?? "Open";
  category = example.category;
  FORM.dispatchEvent(new Event("input", { bubbles: true }));
}

/** The content of the form as the body of `POST /v1/notifications`. */
export function notification() {
  return {
    to: TARGETS[to.value],
    category,
    title: title.value,
    ...(body.value && { body: body.value }),
    ...(urgent.checked && { priority: "urgent" }),
    ...(buttons.checked && {
      link: "https://shop.example/4711",
      actions: [{ id: "open", label: button, link: "https://shop.example/4711" }],
    }),
  };
}
