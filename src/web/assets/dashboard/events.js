// Reads server-sent events out of the pieces in which they come (HTML standard, §9.2.6).

/**
 * Takes pieces of text and gives the events that are whole.
 *
 * @returns {(piece: string) => { id: string, type: string, data: string }[]}
 */
export function eventReader() {
  let rest = "";
  let id = "";
  let type = "";
  let data = [];
  let sawCarriageReturn = false;

  function line(text, events) {
    if (text === "") {
      if (data.length) events.push({ id, type: type || "message", data: data.join("\n") });
      type = "";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") type = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  }

  return (piece) => {
    const events = [];
    // A line may end with CR LF, and a piece between the two.
    if (sawCarriageReturn && piece.startsWith("\n")) piece = piece.slice(1);
    if (piece) sawCarriageReturn = piece.endsWith("\r");
    const lines = (rest + piece).split(/\r\n|\n|\r/);
    rest = lines.pop();
    for (const text of lines) line(text, events);
    return events;
  };
}
