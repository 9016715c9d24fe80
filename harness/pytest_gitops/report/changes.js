const changes = (() => {
  'use strict';
  // Diffs are drawn when they are opened, a piece at a time: the largest one costs nothing until somebody looks.
  const PIECE = 400, MOST_HITS = 5000;
  const one = (selector, root) => root.querySelector(selector);
  const all = (selector, root) => [...root.querySelectorAll(selector)];
  const narrow = matchMedia('(max-width: 52rem)');
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  let view = 'inline', report = null;
  const applications = () => (report ??= JSON.parse(one('#document', document).textContent)).applications;
  const changesOf = (section) => applications()[Number(section.dataset.changes)].changes;

  // A unified diff as runs: what stands left and what stands right, with the numbers of their lines.
  function runsOf(lines) {
    const runs = [];
    let old = 0, now = 0, run = null;
    lines.forEach((line, at) => {
      const sign = line[0], text = line.slice(1);
      if (sign === '-' || sign === '+') {
        if (!run || (sign === '-' && run.right.length)) runs.push(run = { left: [], right: [] });
        if (sign === '-') run.left.push({ no: old++, text, at });
        else run.right.push({ no: now++, text, at });
        return;
      }
      run = null;
      if (sign === ' ') {
        runs.push({ same: true, left: [{ no: old++, text, at }], right: [{ no: now++, text, at }] });
        return;
      }
      const found = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)$/.exec(line);
      if (found) { old = Number(found[1]); now = Number(found[2]); }
      runs.push({ where: found ? found[3] || '…' : line, left: [], right: [] });
    });
    return runs;
  }

  // Of two lines, where they begin and cease to differ.
  function span(a, b) {
    let start = 0, end = 0;
    const most = Math.min(a.length, b.length);
    while (start < most && a[start] === b[start]) start++;
    while (end < most - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
    return start + end < Math.max(a.length, b.length) * 0.25 ? null : [start, end];
  }

  function write(cell, text, part, word) {
    const pieces = part ? [[text.slice(0, part[0]), false], [text.slice(part[0], text.length - part[1]), true], [text.slice(text.length - part[1]), false]] : [[text, false]];
    for (const [piece, differs] of pieces) {
      if (!piece) continue;
      const target = differs ? cell.appendChild(make('b', 'differs')) : cell;
      let rest = piece, found;
      while (word && (found = rest.toLowerCase().indexOf(word)) >= 0) {
        if (found) target.append(rest.slice(0, found));
        target.append(make('mark', '', rest.slice(found, found + word.length)));
        rest = rest.slice(found + word.length);
      }
      if (rest) target.append(rest);
    }
  }

  const number = (side) => make('td', 'no', side ? String(side.no) : '');
  function side(className, sign, part, differing, word) {
    const cell = make('td', part ? className : 'void');
    if (!part) return cell;
    cell.dataset.at = part.at;
    cell.append(make('span', 'sign', sign));
    write(cell, part.text, differing, word);
    return cell;
  }

  const row = (...cells) => {
    const line = make('tr', '');
    line.append(...cells);
    return line;
  };
  function draw(body, runs, split, word) {
    for (const { where, same, left, right } of runs) {
      if (where !== undefined) {
        const cell = make('td', '', where), line = row(cell);
        cell.colSpan = split ? 4 : 3;
        line.className = 'where';
        body.append(line);
        continue;
      }
      const [minus, plus, gone, came] = same ? [' ', ' ', '', ''] : ['-', '+', 'gone', 'came'];
      const parts = left.map((a, i) => (right[i] && !same ? span(a.text, right[i].text) : null));
      if (split) {
        for (let i = 0; i < Math.max(left.length, right.length); i++) {
          body.append(row(number(left[i]), side(gone, minus, left[i], parts[i], word), number(right[i]), side(came, plus, right[i], parts[i], word)));
        }
      } else if (same) {
        body.append(row(number(left[0]), number(right[0]), side('', ' ', right[0], null, word)));
      } else {
        left.forEach((each, i) => body.append(row(number(each), number(null), side(gone, minus, each, parts[i], word))));
        right.forEach((each, i) => body.append(row(number(null), number(each), side(came, plus, each, parts[i], word))));
      }
    }
  }

  // Where the next piece ends; a run is not torn apart.
  function until(runs, from) {
    let to = from;
    for (let lines = 0; to < runs.length && lines < PIECE; to++) lines += Math.max(runs[to].left.length + runs[to].right.length, 1);
    return to;
  }

  function fill(section, details, whole = false) {
    const lines = changesOf(section)[Number(details.dataset.change)].diff;
    if (!lines.length) return;
    const split = view === 'split' && !narrow.matches, word = section.word ?? '';
    const key = `${split}|${word}`;
    one('.diff-text', details)?.remove();
    let holder = one('.diff', details);
    if (holder && holder.key === key && !(whole && one('.more', holder))) return;
    holder?.remove();
    holder = make('div', 'diff');
    holder.key = key;
    holder.tabIndex = 0;
    holder.setAttribute('role', 'region');
    holder.setAttribute('aria-label', 'Diff');
    const table = make('table', split ? 'split' : 'inline'), body = make('tbody'), runs = runsOf(lines);
    let at = 0;
    const next = (to) => { draw(body, runs.slice(at, to), split, word); at = to; };
    next(whole ? runs.length : until(runs, 0));
    const columns = make('colgroup', '');
    for (const name of split ? ['no', '', 'no', ''] : ['no', 'no', '']) columns.append(make('col', name));
    table.append(columns, body);
    holder.append(table);
    if (at < runs.length) {
      const more = make('button', 'more');
      const label = () => {
        const left = runs.slice(at).reduce((sum, run) => sum + run.left.length + run.right.length, 0);
        more.textContent = `Show more (${left.toLocaleString('en')} lines)`;
      };
      more.type = 'button';
      label();
      more.addEventListener('click', () => { next(until(runs, at)); if (at < runs.length) label(); else more.remove(); });
      holder.append(more);
    }
    details.append(holder);
  }

  const refill = (section) => { for (const details of all('details.object-change[open]', section)) fill(section, details); };
  function choose(to) {
    view = to;
    for (const button of all('[data-view]', document)) button.setAttribute('aria-pressed', String(button.dataset.view === view));
    const section = one('article.current .changes', document);
    for (const each of all('.changes', document)) if (each !== section) for (const holder of all('.diff', each)) holder.remove();
    if (section) refill(section);
  }

  // Find: objects without the word are out of sight, Enter goes from line to line.
  function find(section, input) {
    const word = input.value.trim().toLowerCase(), details = all('details.object-change', section);
    section.word = word;
    section.hits = [];
    section.at = -1;
    let total = 0;
    for (const each of details) {
      const change = changesOf(section)[Number(each.dataset.change)];
      const found = word ? change.diff.flatMap((line, at) => (line.slice(1).toLowerCase().includes(word) ? [at] : [])) : [];
      total += found.length;
      for (const at of found) if (section.hits.length < MOST_HITS) section.hits.push([each, at]);
      each.hidden = Boolean(word) && !found.length && !one('.title', each).textContent.toLowerCase().includes(word);
    }
    refill(section);
    tell(section, total);
  }
  function tell(section, total = section.total) {
    section.total = total;
    const hits = one('.hits', section);
    if (!section.word) hits.textContent = '';
    else if (section.at < 0) hits.textContent = total === 1 ? '1 line' : `${total} lines`;
    else hits.textContent = `${section.at + 1} of ${total}`;
  }
  function go(section, step) {
    const hits = section.hits ?? [];
    if (!hits.length) return;
    section.at = (section.at + step + hits.length) % hits.length;
    const [details, at] = hits[section.at];
    details.open = true;
    fill(section, details, true);
    for (const cell of all('td.found', section)) cell.classList.remove('found');
    const cell = one(`td[data-at="${at}"]`, details);
    cell?.classList.add('found');
    cell?.scrollIntoView({ block: 'center' });
    tell(section);
  }

  function step(by) {
    const section = one('article.current .changes', document);
    const lines = section ? all('details.object-change:not([hidden]) > summary', section) : [];
    if (!lines.length) return;
    const at = lines.indexOf(document.activeElement?.closest('summary'));
    const line = lines[at < 0 ? (by > 0 ? 0 : lines.length - 1) : Math.min(Math.max(at + by, 0), lines.length - 1)];
    line.parentElement.open = true;
    line.focus();
    line.scrollIntoView({ block: 'start' });
  }

  for (const section of all('.changes', document)) {
    const tools = one('.diff-tools', section);
    for (const details of all('details.object-change', section)) details.addEventListener('toggle', () => { if (details.open) fill(section, details); });
    if (!tools) continue;
    tools.hidden = false;
    for (const button of all('[data-view]', tools)) button.addEventListener('click', () => choose(button.dataset.view));
    const every = one('.open-all', tools);
    every.addEventListener('click', () => {
      const open = every.textContent === 'Open all';
      for (const details of all('details.object-change', section).slice(0, 100)) details.open = open;
      every.textContent = open ? 'Close all' : 'Open all';
    });
    const input = one('.find', tools);
    input.addEventListener('input', () => find(section, input));
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') { event.preventDefault(); go(section, event.shiftKey ? -1 : 1); }
      if (event.key === 'Escape') { event.stopPropagation(); input.value = ''; find(section, input); }
    });
  }
  narrow.addEventListener('change', () => choose(view));
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.('input')) return;
    if (event.key === 'v') choose(view === 'inline' ? 'split' : 'inline');
    else if (event.key === 'n' || event.key === 'p') step(event.key === 'n' ? 1 : -1);
    else if (event.key === 'f' && one('article.current .find', document)) {
      event.preventDefault();
      one('article.current .find', document).focus();
    }
  });

  /** What a search over all Applications reads of the diffs of one. */
  const textOf = (article) => {
    const section = article && one('.changes', article);
    return section ? changesOf(section).map((change) => change.diff.join('\n')).join('\n') : '';
  };
  return { textOf };
})();
