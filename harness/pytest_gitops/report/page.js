(() => {
  'use strict';
  // The page is complete without this script: it chooses, searches and listens to keys. The address says what is shown:
  // #overview or #app=namespace/name, then &object=…, &show=failed and &q=… as needed.
  const MOST_OBJECTS = 200;
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const tree = one('#tree'), search = one('#search'), empty = one('#empty'), said = one('#said'), home = one('.home');
  const buttons = all('.filters button');
  const nodes = [];
  const view = { app: '', object: '', show: 'all', q: '' };
  const texts = new Map();

  // Without their ids the browser does not scroll to the articles by itself: choosing is done here.
  const articles = new Map(all('article').map((article) => [article.id, article]));
  for (const article of articles.values()) article.removeAttribute('id');
  const overview = articles.get('overview');
  const articleOf = (node) => articles.get(node.anchor);
  const textOf = (node) => {
    if (!texts.has(node)) texts.set(node, (node.title + ' ' + (articleOf(node)?.textContent ?? '') + changes.textOf(articleOf(node))).toLowerCase());
    return texts.get(node);
  };

  // The tree: one node per line of the list, with its parent found by level.
  function adopt() {
    const path = [];
    for (const item of [...tree.children]) {
      const line = item.firstElementChild, level = Number(item.dataset.level);
      const node = {
        item, line, level, parent: path[level - 1] ?? null, children: [], objects: null, open: false,
        anchor: line.hash ? line.hash.slice(1) : '', title: line.textContent, show: (item.dataset.show ?? '').split(' '),
      };
      path.length = level;
      path[level] = node;
      node.parent?.children.push(node);
      nodes.push(node);
    }
    tree.setAttribute('role', 'tree');
    tree.setAttribute('aria-label', 'Applications and their objects');
    for (const node of nodes) {
      node.open = node.children.length > 0;
      dress(node);
    }
  }

  function dress(node) {
    node.item.setAttribute('role', 'none');
    node.line.setAttribute('role', 'treeitem');
    node.line.setAttribute('aria-level', node.level);
    node.line.tabIndex = -1;
    const twist = document.createElement('span');
    twist.className = 'twist';
    twist.setAttribute('aria-hidden', 'true');
    node.line.prepend(twist);
    node.twist = twist;
    twist.addEventListener('click', (event) => {
      event.preventDefault();
      event.stopPropagation();
      toggle(node, !node.open);
    });
    if (node.open) grow(node);
  }

  function rowsOf(node) {
    const article = articleOf(node);
    if (!node.rows && article) {
      const below = new Set(node.children.map((child) => `Application ${child.line.title}`));
      node.rows = all('tr[data-object]', article).filter((row) => !below.has(row.dataset.object));
    }
    return node.rows ?? [];
  }
  const hasMore = (node) => node.children.length > 0 || rowsOf(node).length > 0;

  // Objects are put into the tree when somebody opens their Application: thousands of lines cost nothing until then.
  function grow(node) {
    if (node.objects) return;
    const rows = rowsOf(node);
    const entries = rows.slice(0, MOST_OBJECTS).map((row) => [row.dataset.object, '&object=' + encodeURIComponent(row.dataset.object), row.className === 'bad']);
    if (rows.length > MOST_OBJECTS) entries.push([`${rows.length - MOST_OBJECTS} more in the table`, '', false]);
    node.objects = entries.map(([title, suffix, bad]) => {
      const item = document.createElement('li'), line = document.createElement('a'), name = document.createElement('span');
      item.className = `object l${Math.min(node.level + 1, 8)}`;
      line.href = `#${node.anchor}${suffix}`;
      line.title = title;
      name.className = 'name';
      name.textContent = title;
      if (bad) {
        const mark = one('svg.mark').cloneNode(true);
        mark.setAttribute('class', 'mark failed');
        mark.setAttribute('role', 'img');
        mark.setAttribute('aria-label', 'not Synced and Healthy');
        mark.removeAttribute('aria-hidden');
        mark.firstElementChild.setAttribute('href', '#mark-failed');
        line.append(mark);
      }
      line.append(name);
      item.append(line);
      item.setAttribute('role', 'none');
      line.setAttribute('role', 'treeitem');
      line.setAttribute('aria-level', node.level + 1);
      line.tabIndex = -1;
      return { item, line, level: node.level + 1, parent: node, children: [], objects: [], leaf: true };
    });
    const last = (n) => (n.children.length ? last(n.children[n.children.length - 1]) : n.objects?.length ? n.objects[n.objects.length - 1] : n);
    const spot = node.children.length ? last(node.children[node.children.length - 1]) : node;
    spot.item.after(...node.objects.map((object) => object.item));
  }

  function toggle(node, open) {
    if (open) grow(node);
    node.open = open;
    draw();
  }

  // What is visible: matches, what leads to them, and below that only what is open.
  function draw() {
    const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
    const narrowed = words.length > 0 || view.show !== 'all';
    const matches = new Set(), leads = new Set();
    for (const node of nodes) {
      if (!node.anchor || (view.show !== 'all' && !node.show.includes(view.show))) continue;
      if (!words.every((word) => textOf(node).includes(word))) continue;
      matches.add(node);
      for (let up = node.parent; up; up = up.parent) leads.add(up);
    }
    const opened = (node) => !node || (opened(node.parent) && node.open);
    for (const node of nodes) {
      const seen = narrowed ? matches.has(node) || leads.has(node) : opened(node.parent);
      node.item.hidden = !seen;
      node.item.classList.toggle('context', narrowed && !matches.has(node));
      for (const object of node.objects ?? []) object.item.hidden = !(seen && node.open && (!narrowed || matches.has(node)));
      const more = hasMore(node), spread = narrowed ? leads.has(node) || node.open : node.open;
      node.twist.className = more ? (spread ? 'twist open' : 'twist shut') : 'twist';
      if (more) node.line.setAttribute('aria-expanded', String(spread));
    }
    empty.hidden = matches.size > 0;
    for (const button of buttons) button.setAttribute('aria-pressed', String(button.dataset.show === view.show));
    const lines = shown();
    if (!lines.some((line) => line.tabIndex === 0)) rove(lines[0]);
    return matches.size;
  }

  const shown = () => all('[role=treeitem]', tree).filter((line) => !line.parentElement.hidden);
  function rove(line) {
    for (const other of all('[role=treeitem][tabindex="0"]', tree)) other.tabIndex = -1;
    if (line) line.tabIndex = 0;
  }
  const owner = (line) => nodes.find((node) => node.line === line) ?? nodes.flatMap((n) => n.objects ?? []).find((o) => o.line === line);

  // The address.
  function read() {
    const parts = location.hash.slice(1).split('&');
    const value = (name) => parts.find((part) => part.startsWith(name + '='))?.slice(name.length + 1) ?? '';
    const plain = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
    view.app = parts.find((part) => part.startsWith('app=')) ?? '';
    view.object = plain(value('object'));
    view.show = buttons.some((button) => button.dataset.show === value('show')) ? value('show') : 'all';
    view.q = plain(value('q'));
  }

  function address() {
    const parts = [view.app || 'overview'];
    if (view.object) parts.push('object=' + encodeURIComponent(view.object));
    if (view.show !== 'all') parts.push('show=' + view.show);
    if (view.q) parts.push('q=' + encodeURIComponent(view.q));
    return '#' + parts.join('&');
  }

  function open() {
    const node = nodes.find((n) => n.anchor && n.anchor === view.app);
    const article = (node && articleOf(node)) || overview;
    for (const other of all('article.current')) other.classList.remove('current');
    article.classList.add('current');
    document.body.classList.toggle('reading', Boolean(node));
    document.body.classList.toggle('home-view', !node);
    for (const line of all('[aria-current]')) line.removeAttribute('aria-current');
    (node ? node.line : home).setAttribute('aria-current', 'page');
    if (node) {
      for (let up = node.parent; up; up = up.parent) if (!up.open) { grow(up); up.open = true; }
      rove(node.line);
    }
    for (const row of all('tr.aimed')) row.classList.remove('aimed');
    const row = view.object && all('tr[data-object]', article).find((r) => r.dataset.object === view.object);
    if (row) {
      row.classList.add('aimed');
      row.scrollIntoView({ block: 'center' });
    }
    return article;
  }

  function narrow(change) {
    Object.assign(view, change);
    history.replaceState(null, '', address());
    const number = draw();
    said.textContent = number === 1 ? '1 Application' : `${number} Applications`;
  }

  history.scrollRestoration = 'manual';
  adopt();
  read();
  search.value = view.q;
  open();
  draw();

  addEventListener('hashchange', () => {
    const { show, q } = view;
    read();
    if (!/[&#](show|q)=/.test(location.hash)) { // a link names its Application only: what narrows the tree stays
      Object.assign(view, { show, q });
      history.replaceState(null, '', address());
    }
    search.value = view.q;
    const article = open();
    draw();
    if (!view.object) scrollTo(0, Math.min(scrollY, one('.columns').offsetTop)); // keep the place of the tree
    if (!tree.contains(document.activeElement) || matchMedia('(max-width: 52rem)').matches) one('h2', article).focus({ preventScroll: true });
    said.textContent = one('h2', article).textContent;
  });
  search.addEventListener('input', () => narrow({ q: search.value.trim() }));
  for (const button of buttons) button.addEventListener('click', () => narrow({ show: button.dataset.show }));
  one('.skip').addEventListener('click', (event) => {
    event.preventDefault();
    one('main').focus();
  });
  for (const link of all('a[href="#overview"]')) link.addEventListener('click', () => Object.assign(view, { app: '', object: '' }));

  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '/' && document.activeElement !== search) {
      event.preventDefault();
      document.body.classList.remove('reading');
      search.focus();
      search.select();
    } else if (event.key === 'Escape' && (view.q || view.show !== 'all')) {
      search.value = '';
      narrow({ q: '', show: 'all' });
    }
  });
  search.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'Enter') return;
    event.preventDefault();
    const line = shown()[0];
    rove(line);
    line?.focus();
  });
  tree.addEventListener('keydown', (event) => {
    const lines = shown(), at = lines.indexOf(document.activeElement), node = owner(document.activeElement);
    if (at < 0 || !node) return;
    let next = null;
    if (event.key === 'ArrowDown') next = lines[at + 1];
    else if (event.key === 'ArrowUp') next = lines[at - 1] ?? search;
    else if (event.key === 'Home') next = lines[0];
    else if (event.key === 'End') next = lines[lines.length - 1];
    else if (event.key === 'ArrowRight') {
      if (!node.leaf && hasMore(node) && !node.open) toggle(node, true);
      else if (!node.leaf && hasMore(node)) next = lines[at + 1];
    } else if (event.key === 'ArrowLeft') {
      if (!node.leaf && node.open) toggle(node, false);
      else next = node.parent?.line;
    } else return;
    event.preventDefault();
    if (next && next !== search) rove(next);
    next?.focus();
  });
  tree.addEventListener('focusin', (event) => { if (event.target.getAttribute('role') === 'treeitem') rove(event.target); });

  for (const button of all('.copy')) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      const command = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(command.textContent);
        button.textContent = 'Copied';
      } catch { // no clipboard for this page: mark the text, so that one key copies it
        getSelection().selectAllChildren(command);
        button.textContent = 'Selected';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    });
  }

  const save = one('#save');
  save.hidden = false;
  save.addEventListener('click', () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([JSON.stringify(JSON.parse(one('#document').textContent), null, 2) + '\n'], { type: 'application/json' }));
    link.download = 'report.json';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
})();
