// The form: what it says as a notification, and examples to fill it with.

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
    buttons: true,
  },
  Mention: {
    title: "Bea mentioned you",
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
    buttons: true,
  },
};

const FORM = document.getElementById("composer");
const { to, title, body, urgent, buttons } = FORM.elements;
let category = "";

for (const [name, example] of Object.entries(EXAMPLES)) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => fill(example));
  FORM.querySelector(".presets").append(button);
}
fill(EXAMPLES.Parcel);

function fill(example) {
  title.value = example.title;
  body.value = example.body;
  urgent.checked = Boolean(example.urgent);
  buttons.checked = Boolean(example.buttons);
  category = example.category;
  FORM.dispatchEvent(new Event("input", { bubbles: true }));
}

/** What the form says, as `POST /v1/notifications` takes it. */
export function notification() {
  return {
    to: TARGETS[to.value],
    category,
    title: title.value,
    ...(body.value && { body: body.value }),
    ...(urgent.checked && { priority: "urgent" }),
    ...(buttons.checked && {
      link: "https://shop.example/o/4711",
      actions: [{ id: "track", label: "Track", link: "https://shop.example/t/4711" }],
    }),
  };
}
