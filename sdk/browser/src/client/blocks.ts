/** The events of a `text/event-stream` (HTML standard, 9.2.6), without ids and reconnection times. */

export interface Block {
  readonly event: string;
  readonly data: string;
}

/** Yields each event of a body. `arrived` runs with each chunk of bytes, also for comments. */
export async function* blocks(body: ReadableStream<Uint8Array>, arrived: () => void): AsyncGenerator<Block> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let event = "";
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      arrived();
      const lines = (text + decoder.decode(value, { stream: true })).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const [, name, content = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
        if (name === "event") event = content;
        else if (name === "data") data.push(content);
        else if (!line) {
          if (data.length) yield { event, data: data.join("\n") };
          event = "";
          data = [];
        }
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
