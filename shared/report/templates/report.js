// Draws the people's rows, only those near the screen, and filters and sorts them. What is filtered stands in the
// address of the page, behind "#?", so that a view can be sent on, and so that going back undoes the last filter. Texts
// are set as text, never as markup.
(() => {
  'use strict';
  const CHUNK = 40; // rows that are drawn and taken away together
  const LINES = 4; // values of a row that are shown without opening it
  const PAPER = 2000; // rows on paper
  const data = JSON.parse(document.getElementById('data').textContent);
  const { texts, lists } = data;
  const text = (number) => texts[number] ?? '';
  const by = (id) => document.getElementById(id);
  const collator = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true });

  const el = (tag, options = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
    }
    made.append(...children.filter((child) => child !== undefined && child !== null && child !== ''));
    return made;
  };
  const bdi = (value) => el('bdi', {}, value);
  const code = (value) => el('code', {}, value);
  const value = (number) => el('span', { class: number === 1 || number === 2 ? 'lack' : undefined }, bdi(text(number)));

  // A row as it came is an array; these are its places.
  const field = (row) => ({
    group: text(row[0]), name: text(row[1]), upn: text(row[2]), key: text(row[3]), account: text(row[4]),
    action: text(row[5]), status: text(row[6]), join: text(row[7]),
    reasons: row[8], steps: row[9], evidence: row[10], extra: row[11] ?? {},
  });

  // What a search looks through, made when it is first searched.
  const haystacks = new Map();
  const haystack = (row) => {
    let found = haystacks.get(row);
    if (found === undefined) {
      const numbers = [row[1], row[2], row[3], row[4], row[7], ...row[8].flat()];
      for (const [title, lines] of row[9]) numbers.push(title, ...lines.flat());
      for (const evidence of row[10]) numbers.push(...evidence.slice(2));
      found = `${numbers.map(text).join('\n')}\n${data.actions[text(row[5])] ?? ''}`.toLowerCase();
      haystacks.set(row, found);
    }
    return found;
  };

  const plural = (count, one, many) => `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

  // ---- one row ----

  const lineOf = ([what, before, after]) =>
    el('div', { class: 'line' }, el('span', { class: 'what' }, text(what)), ' ', value(before), ' → ', value(after));

  const reasonOf = ([name, detail], isHeading) => {
    const sentence = data.reasons[text(name)] ?? '';
    const said = detail ? el('span', { class: 'detail' }, bdi(text(detail))) : undefined;
    if (isHeading) return said && el('li', {}, said);
    return el('li', {}, el('a', { href: `#reason-${text(name)}` }, code(text(name))), ' ', sentence, said ? ' ' : '', said);
  };

  const table = (caption, head, rows) => el('table', {}, caption && el('caption', {}, caption),
    el('thead', {}, el('tr', {}, ...head.map((name) => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, ...rows));

  const detailsOf = (row) => {
    const { key, account, join, steps, evidence, extra } = field(row);
    const box = el('div', { class: 'opened' });
    if (steps.length) {
      box.append(el('ol', { class: 'steps' }, ...steps.map(([title, lines]) => el('li', {}, text(title),
        lines.length ? table('', ['Value', 'Before', 'After'], lines.map(([what, before, after]) =>
          el('tr', {}, el('th', { scope: 'row' }, text(what)), el('td', {}, value(before)), el('td', {}, value(after))))) : ''))));
    }
    if (evidence.length) {
      box.append(table('What the rules found', ['Rule', 'Found', 'Source', 'Tenant'], evidence.map(([rule, found, ours, theirs, at]) =>
        el('tr', {}, el('th', { scope: 'row' }, text(rule)), el('td', {}, text(found)), el('td', {}, bdi(text(ours))),
          el('td', {}, bdi(text(theirs)), at ? el('small', {}, ' account ', code(text(at))) : '')))));
    }
    if (extra.graph) {
      const [status, name, message, property, conflict, request] = extra.graph;
      box.append(el('p', { class: 'graph' }, `Microsoft Graph: ${status} `, code(text(name)), ` ${text(message)} `,
        ...(property ? ['Property ', code(text(property)), '. '] : []), ...(conflict ? ['In the way: object ', code(text(conflict)), '. '] : []),
        'Request id ', code(text(request))));
    }
    const ids = [['Joined', join], ['Acknowledged', text(extra.known)], ['Held', text(extra.held)], ['Takes away', text(extra.takes)], ['Waits for the changes of', text(extra.waits)],
      ['Decided again', text(extra.again)]].filter(([, said]) => said).map(([name, said]) => el('div', {}, el('dt', {}, name), el('dd', {}, said)));
    ids.push(el('div', {}, el('dt', {}, 'Key'), el('dd', {}, code(bdi(key)))));
    if (account) ids.push(el('div', {}, el('dt', {}, 'Account'), el('dd', {}, code(account))));
    box.append(el('dl', { class: 'ids' }, ...ids));
    return box;
  };

  const opened = new Set();

  const rowOf = (row) => {
    const { name, upn, account, action, status, reasons, steps, extra } = field(row);
    const grouped = text(row[0]);
    const lines = steps.flatMap(([, of]) => of);
    const person = el('th', { scope: 'row' }, bdi(name), upn ? el('small', {}, bdi(upn)) : '');
    if (extra.new) person.append(el('span', { class: 'tag new' }, 'new'));
    if (account && data.portal) {
      person.append(el('a', { class: 'portal', href: data.portal + encodeURIComponent(account), rel: 'noreferrer noopener', target: '_blank' },
        'Open in Entra', el('span', { class: 'sr' }, ` the account of ${name}, in a new tab`)));
    }
    const what = el('td', { 'data-l': 'Action' }, action === 'none' ? '' : el('b', { class: 'act' }, data.actions[action] ?? action), ' ',
      el('span', { class: `tag s-${status}` }, data.statuses[status] ?? status));
    const values = el('td', { 'data-l': 'Values' }, ...lines.slice(0, LINES).map(lineOf));
    if (lines.length > LINES) values.append(el('small', {}, `and ${plural(lines.length - LINES, 'value', 'values')} more`));
    if (!lines.length && steps.length) values.append(...steps.map(([title]) => el('div', {}, text(title))));
    const why = el('td', { 'data-l': 'Why' }, el('ul', { class: 'why' }, ...reasons.map((reason) => reasonOf(reason, text(reason[0]) === grouped)).filter(Boolean)));
    const button = el('button', { type: 'button', class: 'open', 'aria-expanded': 'false' }, 'Details', el('span', { class: 'sr' }, ` of ${name}`));
    why.append(button);
    const drawn = el('tr', { class: 'person', 'data-o': status }, person, what, values, why);
    const toggle = (open) => {
      button.setAttribute('aria-expanded', String(open));
      if (open) {
        opened.add(row);
        drawn.after(el('tr', { class: 'more' }, el('td', { colspan: '4' }, detailsOf(row))));
      } else {
        opened.delete(row);
        if (drawn.nextElementSibling?.classList.contains('more')) drawn.nextElementSibling.remove();
      }
    };
    button.addEventListener('click', () => toggle(!opened.has(row)));
    const more = opened.has(row);
    if (more) button.setAttribute('aria-expanded', 'true');
    return more ? [drawn, el('tr', { class: 'more' }, el('td', { colspan: '4' }, detailsOf(row)))] : [drawn];
  };

  // ---- rows near the screen ----

  const chunks = new Map(); // tbody → { rows, height }
  const draw = (body, chunk) => {
    if (chunk.drawn) return;
    chunk.drawn = true;
    body.replaceChildren(...chunk.rows.flatMap(rowOf));
  };
  const clear = (body, chunk) => {
    if (!chunk.drawn || body.contains(document.activeElement)) return;
    chunk.height = body.offsetHeight || chunk.height;
    chunk.drawn = false;
    spare(body, chunk);
  };
  // An empty row of the height that the rows had, so that nothing moves under the reader.
  const spare = (body, chunk) => {
    const cell = el('td', { colspan: '4', class: 'spare' });
    cell.style.height = `${chunk.height}px`;
    body.replaceChildren(el('tr', { 'aria-hidden': 'true' }, cell));
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const chunk = chunks.get(target);
      if (!chunk) continue;
      if (isIntersecting) draw(target, chunk); else clear(target, chunk);
    }
  }, { rootMargin: '800px 0px' });

  const groups = [];
  for (const list of document.querySelectorAll('.list')) {
    const rows = new Map();
    for (const row of lists[list.id] ?? []) {
      const name = text(row[0]);
      if (!rows.has(name)) rows.set(name, []);
      rows.get(name).push(row);
    }
    for (const box of list.querySelectorAll('.group')) {
      const name = box.dataset.group;
      const title = list.querySelector('h2').firstChild.textContent.trim();
      const body = el('table', { class: 'people' }, el('caption', { class: 'sr' }, `${title}: ${name}`),
        el('colgroup', {}, el('col'), el('col'), el('col'), el('col')),
        el('thead', {}, el('tr', {}, ...['Person', 'Action', 'Values, old → new', 'Why'].map((head) => el('th', { scope: 'col' }, head)))));
      box.querySelector('.rows').append(body);
      groups.push({ list, box, table: body, rows: rows.get(name) ?? [] });
    }
  }

  const fill = (group, rows) => {
    for (const body of group.table.tBodies) { watcher.unobserve(body); chunks.delete(body); }
    [...group.table.tBodies].forEach((body) => body.remove());
    group.shown = rows;
    for (let at = 0; at < rows.length; at += CHUNK) {
      const body = el('tbody');
      const chunk = { rows: rows.slice(at, at + CHUNK), drawn: false };
      chunk.height = chunk.rows.length * 72;
      chunks.set(body, chunk);
      spare(body, chunk);
      group.table.append(body);
      watcher.observe(body);
    }
  };

  // ---- filter and order ----

  const fields = { q: by('q'), list: by('fl'), action: by('fa'), status: by('fo'), reason: by('fr'), sort: by('fs'), new: by('fn') };
  const read = () => Object.fromEntries(Object.entries(fields).filter(([, input]) => input)
    .map(([name, input]) => [name, input.type === 'checkbox' ? (input.checked ? '1' : '') : input.value]));
  const write = (state) => {
    for (const [name, input] of Object.entries(fields)) {
      if (!input) continue;
      const wanted = state[name] ?? '';
      if (input.type === 'checkbox') input.checked = wanted === '1';
      else if (input.tagName === 'SELECT') input.value = [...input.options].some((option) => option.value === wanted) ? wanted : input.options[0].value;
      else input.value = wanted;
    }
  };
  const keys = {
    name: (row) => text(row[1]), upn: (row) => text(row[2]) || text(row[1]),
    action: (row) => text(row[5]), reason: (row) => text(row[8][0]?.[0]),
  };
  const total = Object.values(lists).reduce((sum, rows) => sum + rows.length, 0);

  // The lists that a filter opened: they are closed when no filter is left.
  const openedByFilter = new Set();

  // A count beside a heading: how many of all are shown, while a filter is on.
  const recount = (place, here, filtered) => {
    place.dataset.all ??= place.textContent;
    place.textContent = filtered ? `${here.toLocaleString('en')} of ${place.dataset.all}` : place.dataset.all;
  };

  // What the address says of the filter: a new entry of the history, the entry there is written over, or nothing.
  const PUSH = 'pushState';
  const REPLACE = 'replaceState';
  const note = (state, how) => {
    const kept = new URLSearchParams(Object.entries(state).filter(([name, said]) => said && !(name === 'sort' && said === 'name')));
    const wanted = kept.size ? `#?${kept}` : '';
    const now = location.hash.startsWith('#?') ? location.hash : '';
    if (wanted !== now) history[how](null, '', wanted || location.pathname + location.search);
  };

  const apply = (how) => {
    const state = read();
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const filtered = words.length || state.list || state.action || state.status || state.reason || state.new;
    const back = state.sort.startsWith('-');
    const key = keys[state.sort.replace('-', '')];
    const order = (one, other) => (back ? -1 : 1) * collator.compare(key(one), key(other)) || collator.compare(text(one[1]), text(other[1]));
    let shown = 0;
    const matches = new Map();
    for (const group of groups) {
      const rows = group.rows.filter((row) => (!state.list || group.list.id === state.list)
        && (!state.action || text(row[5]) === state.action)
        && (!state.status || text(row[6]) === state.status)
        && (!state.reason || row[8].some(([name]) => text(name) === state.reason))
        && (!state.new || row[11]?.new)
        && words.every((word) => haystack(row).includes(word)));
      rows.sort(order);
      shown += rows.length;
      matches.set(group.list, (matches.get(group.list) ?? 0) + rows.length);
      group.box.hidden = rows.length === 0;
      recount(group.box.querySelector('h3 .n'), rows.length, filtered);
      fill(group, rows);
    }
    for (const list of document.querySelectorAll('.list')) {
      const here = matches.get(list) ?? 0;
      list.hidden = Boolean(state.list) && list.id !== state.list;
      const none = list.querySelector('.nomatch');
      if (none) none.hidden = here > 0;
      recount(list.querySelector('h2 .n'), here, filtered);
      if (list.tagName !== 'DETAILS') continue;
      if (filtered && here > 0 && !list.open) {
        list.open = true;
        openedByFilter.add(list);
      } else if (!filtered && openedByFilter.delete(list)) {
        list.open = false;
      }
    }
    by('count').textContent = filtered ? `${shown.toLocaleString('en')} of ${plural(total, 'person', 'people')} on this page` : '';
    if (how) note(state, how);
    for (const link of document.querySelectorAll('[data-list],[data-action],[data-status]')) {
      const { list, action, status } = link.dataset;
      const on = (list && list === state.list) || (action && action === state.action) || (status && status === state.status);
      if (on) link.setAttribute('aria-current', 'true'); else link.removeAttribute('aria-current');
    }
  };

  const follow = () => {
    // The address before the first filter names none.
    if (location.hash.startsWith('#?') || location.hash === '') {
      write(Object.fromEntries(new URLSearchParams(location.hash.slice(2))));
      apply();
      return;
    }
    // A place inside something that is folded.
    let name = location.hash.slice(1);
    // A link that was cut or typed wrongly names no place.
    try { name = decodeURIComponent(name); } catch { return; }
    const place = name && by(name);
    const folded = place && place.closest('details');
    if (folded) { folded.open = true; place.scrollIntoView(); place.focus(); }
  };

  // Cards and bars: a click filters, a second one takes the filter away.
  document.addEventListener('click', (event) => {
    const link = event.target.closest('[data-list],a[data-action],a[data-status]');
    if (!link) return;
    event.preventDefault();
    const { list = '', action = '', status = '' } = link.dataset;
    const on = link.hasAttribute('aria-current');
    write(on ? { sort: fields.sort.value } : { list, action, status, sort: fields.sort.value });
    apply(PUSH);
    if (!on) by('filter').scrollIntoView({ block: 'start' });
  });
  document.addEventListener('keydown', (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? '');
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      fields.q.focus();
    }
  });
  // A search is one entry of the history, not one a letter.
  let waiting;
  let searching = false;
  const search = () => {
    clearTimeout(waiting);
    apply(searching ? REPLACE : PUSH);
    searching = true;
  };
  fields.q.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(search, 150); });
  by('filter').addEventListener('change', (event) => { if (event.target === fields.q) search(); else apply(PUSH); });
  by('filter').addEventListener('submit', (event) => { event.preventDefault(); search(); });
  by('filter').addEventListener('reset', () => { clearTimeout(waiting); setTimeout(() => apply(PUSH)); });
  by('filter').addEventListener('focusout', () => { searching = false; });
  window.addEventListener('hashchange', () => { clearTimeout(waiting); searching = false; follow(); });

  // ---- paper: a compact table of what is shown ----

  window.addEventListener('beforeprint', () => {
    const paper = by('paper');
    paper.replaceChildren();
    let left = PAPER;
    let over = 0;
    for (const list of document.querySelectorAll('section.list:not([hidden])')) {
      const lines = [];
      for (const group of groups.filter((one) => one.list === list)) {
        for (const row of group.shown) {
          if (left === 0) { over += 1; continue; }
          left -= 1;
          const { name, upn, action, reasons, steps } = field(row);
          const values = steps.flatMap(([, of]) => of).map(([what, before, after]) => `${text(what)}: ${text(before)} → ${text(after)}`);
          const why = reasons.map(([of, detail]) => (detail ? `${text(of)} (${text(detail)})` : text(of)));
          lines.push(el('tr', {}, el('th', { scope: 'row' }, bdi(name), upn ? el('small', {}, bdi(upn)) : ''), el('td', {}, action === 'none' ? '' : data.actions[action] ?? action),
            el('td', {}, values.slice(0, LINES).join('; ') + (values.length > LINES ? '; …' : '')), el('td', {}, why.join(', '))));
        }
      }
      if (lines.length) paper.append(el('h2', {}, list.querySelector('h2').textContent), table('', ['Person', 'Action', 'Values, old → new', 'Why'], lines));
    }
    if (over) paper.append(el('p', {}, `${plural(over, 'person', 'people')} more: see the files beside this page.`));
    paper.hidden = false;
  });
  window.addEventListener('afterprint', () => { by('paper').hidden = true; by('paper').replaceChildren(); });

  by('filter').hidden = false;
  follow();
  apply(REPLACE);
})();
