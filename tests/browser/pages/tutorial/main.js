// A page as tutorials of Spring's WebSocket support have it. Nothing in it is written for Tidings.

var usernamePage = document.querySelector("#username-page");
var chatPage = document.querySelector("#chat-page");
var usernameForm = document.querySelector("#usernameForm");
var messageForm = document.querySelector("#messageForm");
var messageInput = document.querySelector("#message");
var messageArea = document.querySelector("#messageArea");
var connectingElement = document.querySelector(".connecting");

var stompClient = null;
var username = null;

function connect(event) {
  username = document.querySelector("#name").value.trim();
  if (username) {
    usernamePage.classList.add("hidden");
    chatPage.classList.remove("hidden");
    var socket = new SockJS("/ws");
    stompClient = Stomp.over(socket);
    stompClient.connect({}, onConnected, onError);
  }
  event.preventDefault();
}

function onConnected() {
  stompClient.subscribe("/topic/public", onMessageReceived);
  stompClient.subscribe("/user/queue/messages", onMessageReceived);
  stompClient.send("/app/message", {}, JSON.stringify({ sender: username, type: "JOIN" }));
  connectingElement.classList.add("hidden");
}

function onError(error) {
  connectingElement.textContent = "Could not connect to WebSocket server: " + error;
}

function sendMessage(event) {
  var messageContent = messageInput.value.trim();
  if (messageContent && stompClient) {
    var chatMessage = { sender: username, content: messageInput.value, type: "CHAT" };
    stompClient.send("/app/message", {}, JSON.stringify(chatMessage));
    messageInput.value = "";
  }
  event.preventDefault();
}

function onMessageReceived(payload) {
  var message = JSON.parse(payload.body);
  var messageElement = document.createElement("li");
  if (message.type === "JOIN") {
    message.content = message.sender + " joined!";
  }
  messageElement.appendChild(document.createTextNode(message.sender + ": " + message.content));
  messageArea.appendChild(messageElement);
  messageArea.scrollTop = messageArea.scrollHeight;
}

usernameForm.addEventListener("submit", connect, true);
messageForm.addEventListener("submit", sendMessage, true);
