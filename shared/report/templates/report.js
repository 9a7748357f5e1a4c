// Filters the tables of people. Without it everything is there, only unfiltered.
(() => {
  'use strict';
  const form = document.getElementById('filter');
  const rows = Array.from(document.querySelectorAll('tr[data-o]'));
  const lists = Array.from(document.querySelectorAll('section.list'), (list) => ({
    nomatch: list.querySelector('.nomatch'),
    parts: Array.from(list.querySelectorAll('.part'), (box) => ({
      box, rows: Array.from(box.querySelectorAll('tr[data-o]')),
    })),
  }));
  const field = (id) => document.getElementById(id);
  const count = field('count');
  const texts = new Map();

  // Text is taken when it is first searched: most readers of a long report only pick a reason.
  const textOf = (row) => {
    let text = texts.get(row);
    if (text === undefined) {
      text = row.textContent.toLowerCase();
      texts.set(row, text);
    }
    return text;
  };

  const apply = () => {
    const words = field('q').value.toLowerCase().split(/\s+/).filter(Boolean);
    const action = field('fa').value;
    const outcome = field('fo').value;
    const reason = field('fr').value;
    let shown = 0;
    for (const row of rows) {
      const data = row.dataset;
      const match = (!action || data.a === action)
        && (!outcome || data.o === outcome)
        && (!reason || data.r.split(' ').includes(reason))
        && words.every((word) => textOf(row).includes(word));
      row.hidden = !match;
      if (match) { shown += 1; }
    }
    for (const { parts, nomatch } of lists) {
      let first = true;
      for (const part of parts) {
        const some = part.rows.some((row) => !row.hidden);
        part.box.hidden = !some;
        // The headings of a list are shown once, above the first part that is shown.
        part.box.classList.toggle('on', some && !first);
        if (some) { first = false; }
      }
      if (nomatch) { nomatch.hidden = !first; }
    }
    count.textContent = shown.toLocaleString('en') + ' of ' + rows.length.toLocaleString('en')
      + (rows.length === 1 ? ' person shown' : ' people shown');
  };

  let waiting = 0;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 120);
  };

  if (rows.length > 0) {
    form.hidden = false;
    form.addEventListener('input', soon);
    form.addEventListener('reset', () => setTimeout(apply, 0));
    form.addEventListener('submit', (event) => { event.preventDefault(); apply(); });
    const open = field('open');
    open.addEventListener('click', () => {
      const all = open.getAttribute('aria-pressed') !== 'true';
      open.setAttribute('aria-pressed', String(all));
      open.textContent = all ? 'Close all details' : 'Open all details';
      for (const row of rows) {
        if (!all || !row.hidden) { row.querySelector('details').open = all; }
      }
    });
    apply();
  }

  // On paper nothing can be opened, so everything is.
  let closed = [];
  addEventListener('beforeprint', () => {
    closed = Array.from(document.querySelectorAll('details:not([open])'));
    for (const details of closed) { details.open = true; }
  });
  addEventListener('afterprint', () => {
    for (const details of closed) { details.open = false; }
    closed = [];
  });
})();
