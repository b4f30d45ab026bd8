// Queries over rows: where, group, having, select, order, limit, in the order of SQL.

import { compile, key, order } from './expression.js';

/**
 * Runs a query over `{ columns, rows }`, where rows are arrays, or objects if `columns` are only those
 * that were found. Gives `{ columns, rows, total }`; `total` counts the rows before `limit`.
 */
export function query(table, clauses) {
  const column = table.isObjects ? memberOf : columnOf(table.columns);
  const each = (field, texts, options) => texts?.map((text, index) => compile(text, `${field}[${index}]`, column, options));

  const where = clauses.where && compile(clauses.where, 'where', column);
  if (where?.isAggregate) throw new Error('where: functions over groups belong into having');
  const groupBy = each('group_by', clauses.group_by) ?? [];
  const select = selection(table, each('select', clauses.select, { hasAlias: true }), groupBy);
  const aliases = new Map(select.map((one, index) => [one.name, index]));

  // What is ordered by may be a name that `select` gives.
  const byName = (name) => {
    if (aliases.has(name)) return select[aliases.get(name)].value;
    return column(name);
  };
  const orderBy = clauses.order_by?.map((text, index) => compile(text, `order_by[${index}]`, byName, { hasOrder: true })) ?? [];
  const having = clauses.having && compile(clauses.having, 'having', byName);

  const isGrouped = groupBy.length > 0 || [...select, ...orderBy, having].some((one) => one?.isAggregate);
  if (having && !isGrouped) throw new Error('having: there are no groups; use where');
  if (groupBy.some((one) => one.isAggregate)) throw new Error('group_by: functions over groups cannot make groups');

  const rows = where ? table.rows.filter((row) => where.value(row) === true) : table.rows;
  const groups = isGrouped ? grouped(rows, groupBy) : rows.map((row) => [row]);
  // A column of a group is that of its first row; a group of nothing has none.
  const evaluate = (one, group) => (group.length === 0 && one.hasBareColumn ? null : one.value(group[0], group));
  const kept = having ? groups.filter((group) => evaluate(having, group) === true) : groups;

  let results = kept.map((group) => ({
    row: select.map((one) => evaluate(one, group)),
    keys: orderBy.map((one) => evaluate(one, group)),
  }));
  if (clauses.distinct) results = [...new Map(results.map((one) => [key(one.row), one])).values()];
  results.sort((a, b) => {
    for (const [index, one] of orderBy.entries()) {
      const sign = order(a.keys[index], b.keys[index]);
      if (sign) return one.descending ? -sign : sign;
    }
    return 0;
  });
  const start = clauses.offset ?? 0;
  return {
    columns: select.map((one) => one.name),
    rows: results.slice(start, start + clauses.limit).map((one) => one.row),
    total: results.length,
  };
}

function selection(table, select, groupBy) {
  if (select) {
    return select.map((one) => ({ ...one, name: one.alias ?? one.text.replace(/^"(.*)"$/s, '$1') }));
  }
  if (groupBy.length > 0) {
    const count = { name: 'count', value: (_, group) => group.length, isAggregate: true };
    return [...groupBy.map((one) => ({ ...one, name: one.text })), count];
  }
  const column = table.isObjects ? memberOf : columnOf(table.columns);
  return table.columns.map((name) => ({ name, value: column(table.isObjects ? [name] : name), hasBareColumn: true }));
}

function columnOf(columns) {
  return (name) => {
    let index = columns.indexOf(name);
    if (index < 0) {
      // Whatever the case, as in SQL, if that leaves no doubt.
      const same = columns.filter((one) => one.toLowerCase() === name.toLowerCase());
      if (same.length === 1) index = columns.indexOf(same[0]);
    }
    if (index < 0) throw new Error(`there is no column ${name}, only ${columns.join(', ')}`);
    return (row) => row[index];
  };
}

/**
 * `a.b` is the member b of the member a, unless there is one that is called so as a whole. What has no
 * members is itself `value`.
 */
function memberOf(name) {
  const path = Array.isArray(name) ? name : name.split('.');
  const whole = Array.isArray(name) ? name[0] : name;
  const member = (value, part) => (value !== null && typeof value === 'object' && Object.hasOwn(value, part) ? value[part] : null);
  return (row) => {
    if (row === null || typeof row !== 'object') return whole === 'value' ? row : null;
    const direct = member(row, whole);
    return direct === null && path.length > 1 ? path.reduce(member, row) : direct;
  };
}

function grouped(rows, groupBy) {
  // Without a key all rows are one group, even if there are none.
  if (groupBy.length === 0) return [rows];
  const groups = new Map();
  for (const row of rows) {
    const name = key(groupBy.map((one) => one.value(row)));
    if (groups.has(name)) groups.get(name).push(row);
    else groups.set(name, [row]);
  }
  return [...groups.values()];
}

/** A table in Markdown. */
export function markdown({ columns, rows }) {
  const cell = (value) => {
    const text = value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    return text.replace(/\\(?=\|)|\|/g, '\\$&').replace(/\r?\n|\r/g, ' ');
  };
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(columns), `|${' --- |'.repeat(columns.length)}`, ...rows.map(line)].join('\n');
}
