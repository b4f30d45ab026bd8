// CSV as it is found (RFC 4180 and its relatives): quoted fields, any end of line, four delimiters.

const DELIMITERS = [',', ';', '\t', '|'];

/** Reads a text into `{ columns, rows }`, where a row is an array of values. */
export function parseCsv(text, { delimiter, header, types }) {
  // A byte order mark is no part of the first name.
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const records = parse(source, delimiter ?? guess(source));
  if (records.length === 0) throw new Error('csv: there is no line in it');
  const width = records.reduce((most, record) => Math.max(most, record.length), 0);
  const names = header ? records.shift() : [];
  const columns = unique(Array.from({ length: width }, (_, index) => names[index]?.trim() || `column${index + 1}`));
  const value = types === 'text' ? (cell) => cell : typed;
  return { columns, rows: records.map((record) => columns.map((_, index) => value(record[index] ?? ''))) };
}

/** The delimiter that the first line has most of, outside of quotes. */
function guess(text) {
  const line = text.slice(0, 10_000).replace(/"[^"]*"/g, '').split(/\r?\n|\r/).find((one) => one.trim()) ?? '';
  const count = (delimiter) => line.split(delimiter).length;
  return DELIMITERS.reduce((best, one) => (count(one) > count(best) ? one : best));
}

function parse(text, delimiter) {
  const records = [];
  let record = [];
  let at = 0;
  let line = 1;
  while (at < text.length) {
    let field;
    if (text[at] === '"') {
      const start = line;
      field = '';
      at += 1;
      for (;;) {
        const end = text.indexOf('"', at);
        if (end < 0) throw new Error(`csv: the quotation mark in line ${start} is not closed`);
        const part = text.slice(at, end);
        line += part.split('\n').length - 1;
        field += part;
        at = end + 1;
        // Two of them stand for one.
        if (text[at] !== '"') break;
        field += '"';
        at += 1;
      }
      if (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') {
        throw new Error(`csv: in line ${line} something follows the closing quotation mark`);
      }
    } else {
      const start = at;
      while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') at += 1;
      field = text.slice(start, at);
    }
    record.push(field);
    if (text[at] === delimiter) {
      at += 1;
      // A delimiter at the very end is followed by an empty field.
      if (at < text.length) continue;
      record.push('');
    }
    if (text[at] === '\r' && text[at + 1] === '\n') at += 1;
    at += 1;
    line += 1;
    // Lines with nothing in them are no records.
    if (record.length > 1 || record[0] !== '') records.push(record);
    record = [];
  }
  return records;
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** What a cell means: nothing, a number if it is written like one, or else text. */
function typed(cell) {
  const text = cell.trim();
  if (text === '') return null;
  // 007 is a name, and so is what has more digits than a number keeps.
  if (text.length > 17 || !NUMBER.test(text)) return cell;
  const number = Number(text);
  return Number.isFinite(number) ? number : cell;
}

function unique(names) {
  const seen = new Map();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count > 1 ? `${name}_${count}` : name;
  });
}
