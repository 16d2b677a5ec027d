// A chat page for Spring's simple broker. It has no line for Tidings.

let username = null;
let stompClient = null;

function connect(event) {
  event.preventDefault();
  username = document.querySelector("#name").value.trim();
  if (!username) return;
  showChat();
  const socket = new SockJS("/ws");
  stompClient = Stomp.over(socket);
  stompClient.connect({}, onConnected, onError);
}

function onConnected() {
  stompClient.subscribe("/topic/public", onMessage);
  stompClient.subscribe("/user/queue/messages", onMessage);
  send({ sender: username, type: "JOIN" });
  showConnected();
}

function onError() {
  showFailure("Not connected. Reload the page to try again.");
}

function send(message) {
  stompClient.send("/app/message", {}, JSON.stringify(message));
}

function sendMessage(event) {
  event.preventDefault();
  const content = messageInput.value.trim();
  if (!content || !stompClient?.connected) return;
  send({ sender: username, content, type: "CHAT" });
  messageInput.value = "";
}

function onMessage(payload) {
  showMessage(JSON.parse(payload.body));
}

// The view

const nameForm = document.querySelector("#nameForm");
const chat = document.querySelector("#chat");
const messageForm = document.querySelector("#messageForm");
const messageInput = document.querySelector("#message");
const messageArea = document.querySelector("#messageArea");
const notice = document.querySelector("#notice");

const HUES = [12, 40, 95, 150, 190, 220, 265, 320];

function showChat() {
  nameForm.hidden = true;
  chat.hidden = false;
}

function showConnected() {
  notice.hidden = true;
  messageInput.disabled = false;
  messageInput.focus();
}

function showFailure(text) {
  notice.hidden = false;
  notice.textContent = text;
  notice.classList.add("failed");
  messageInput.disabled = true;
}

function showMessage({ sender = "Somebody", content = "", type }) {
  const row = document.createElement("li");
  if (type === "JOIN") {
    row.className = "event";
    row.textContent = `${sender} joined`;
  } else {
    const face = document.createElement("span");
    face.className = "face";
    face.ariaHidden = "true";
    face.textContent = [...sender][0];
    face.style.setProperty("--hue", hueOf(sender));
    const text = document.createElement("p");
    text.className = "bubble";
    const name = document.createElement("b");
    name.textContent = sender;
    text.append(name, content);
    row.append(face, text);
    row.classList.toggle("own", sender === username);
  }
  messageArea.append(row);
  messageArea.scrollTop = messageArea.scrollHeight;
}

function hueOf(name) {
  const sum = [...name].reduce((total, letter) => 31 * total + letter.codePointAt(0), 7);
  return HUES[Math.abs(sum) % HUES.length];
}

nameForm.addEventListener("submit", connect);
messageForm.addEventListener("submit", sendMessage);
