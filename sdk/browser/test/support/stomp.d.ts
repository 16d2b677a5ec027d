// The parts of clients without types that the tests use.

interface OldMessage {
  readonly body: string;
}

interface OldClient {
  debug: unknown;
  connect(headers: object, connected: () => void, failed: (error: unknown) => void): void;
  subscribe(destination: string, handler: (message: OldMessage) => void, headers?: object): void;
  disconnect(done: () => void): void;
}

declare module "stompjs" {
  export function over(socket: unknown): OldClient;
}

declare module "sockjs-client-15" {
  const SockJS: new (url: string, protocols: null, options: { transports: string }) => WebSocket;
  export default SockJS;
}

declare module "sockjs-client-16" {
  const SockJS: new (url: string, protocols: null, options: { transports: string }) => WebSocket;
  export default SockJS;
}
